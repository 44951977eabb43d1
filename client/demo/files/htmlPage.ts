/** A page of its own: no script, nothing from elsewhere, readable in any browser. @param body the editor's HTML */
export function htmlPage(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)}</title>
<style>
:root { color-scheme: light dark }
body { max-width: 42rem; margin: 3rem auto; padding: 0 1.25rem; font: 1.125rem/1.7 Georgia, serif }
img { max-width: 100%; height: auto }
table { border-collapse: collapse } th, td { padding: .4rem .7rem; border: 1px solid; text-align: start }
pre { white-space: pre-wrap } blockquote { margin-inline: 0; padding-inline-start: 1.2rem; border-inline-start: 3px solid }
ul[data-type=taskList] { padding: 0; list-style: none } ul[data-type=taskList] li { display: flex; gap: .6rem }
</style>
</head>
<body>
${body}
</body>
</html>
`
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
