"""OpenStack Swift with its S3 interface, all of it in one process: s3server.py <directory> <four ports>

The first port speaks S3 (access key "test:tester", secret "testing"); the others are Swift's own. Debian: python3-swift.
"""

import os
import sys

import eventlet

eventlet.monkey_patch()

from swift.common import storage_policy, utils  # noqa: E402

directory = sys.argv[1]
proxy_port, *storage_ports = (int(port) for port in sys.argv[2:6])
devices = os.path.join(directory, "devices")
os.makedirs(os.path.join(devices, "d1"))

utils.SWIFT_CONF_FILE = os.path.join(directory, "swift.conf")
with open(utils.SWIFT_CONF_FILE, "w") as file:
    file.write("[swift-hash]\nswift_hash_path_suffix = any\n[storage-policy:0]\nname = only\ndefault = yes\n")
utils.HASH_PATH_SUFFIX = b"any"
storage_policy.reload_storage_policies()

from eventlet import wsgi  # noqa: E402
from swift.account.server import app_factory as account  # noqa: E402
from swift.common.middleware import catch_errors, copy, gatekeeper, listing_formats, tempauth  # noqa: E402
from swift.common.middleware.s3api import s3api  # noqa: E402
from swift.common.ring import RingBuilder  # noqa: E402
from swift.container.server import app_factory as container  # noqa: E402
from swift.obj.server import app_factory as obj  # noqa: E402
from swift.proxy.server import Application  # noqa: E402

settings = {
    "swift_dir": directory,
    "devices": devices,
    "mount_check": "false",
    "bind_ip": "127.0.0.1",
    "log_level": "ERROR",
    "account_autocreate": "true",
    "allow_account_management": "true",
}


class Cache:
    """What Swift asks memcached for."""

    def __init__(self):
        self.values = {}

    def get(self, key, *_, **__):
        return self.values.get(key)

    def set(self, key, value, *_, **__):
        self.values[key] = value

    def incr(self, key, delta=1, **_):
        self.values[key] = self.values.get(key, 0) + int(delta)
        return self.values[key]

    def delete(self, key, *_, **__):
        self.values.pop(key, None)


cache = Cache()


def cached(app):
    return lambda environ, start_response: app({**environ, "swift.cache": cache}, start_response)


def serve(app, port):
    eventlet.spawn(wsgi.server, eventlet.listen(("127.0.0.1", port), backlog=512), app, log_output=False)


for name, factory, port in zip(("account", "container", "object"), (account, container, obj), storage_ports):
    ring = RingBuilder(0, 1, 0)
    ring.add_dev({"id": 0, "region": 1, "zone": 1, "weight": 1.0, "ip": "127.0.0.1", "port": port, "device": "d1"})
    ring.rebalance()
    ring.get_ring().save(os.path.join(directory, name + ".ring.gz"))
    serve(factory(settings), port)

app = Application(settings, logger=utils.get_logger(settings))
for layer, more in (
    (copy, {}),
    (tempauth, {"user_test_tester": "testing .admin"}),
    (s3api, {"location": "us-east-1"}),
    (listing_formats, {}),
    (gatekeeper, {}),
    (catch_errors, {}),
):
    app = layer.filter_factory({**settings, **more})(app)
serve(cached(app), proxy_port)
print("ready", flush=True)
# Until whoever started this is gone.
parent = os.getppid()
while os.getppid() == parent:
    eventlet.sleep(1)
