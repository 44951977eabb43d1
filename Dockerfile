# syntax=docker/dockerfile:1

FROM node:22-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci
COPY . .
RUN npm run build
# What --redis and --archive need is optional for who installs the package; the image has it, in the locked versions.
RUN npm install --omit=dev --save-prod \
    $(node -p "const { devDependencies: locked } = require('./package.json'); ['@redis/client', 'pg'].map((name) => name + '@' + locked[name]).join(' ')")

FROM node:22-bookworm-slim
ENV NODE_ENV=production \
    SCRIPTORIUM_HOST=0.0.0.0 \
    SCRIPTORIUM_DATA_DIR=/data
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
# The image's own unprivileged user (uid 1000) owns the documents and nothing else.
RUN mkdir /data && chown node:node /data
USER node
VOLUME /data
EXPOSE 1234
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
    CMD ["node", "-e", "fetch('http://127.0.0.1:' + (process.env.SCRIPTORIUM_PORT || process.env.PORT || 1234) + '/readyz').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "--max-semi-space-size=4", "dist/bin/scriptorium.js"]
CMD ["serve"]
