import type { SubjectName } from './clientName.ts'
import { loadProvider } from './provider.ts'
import type { FromSubject, Command } from './subjectMessages.ts'
import { SubjectTasks } from './subjectTasks.ts'

/** The process of one client: does what it is told, and says what it cost. */
process.setMaxListeners(0) // y-websocket adds one for each document

function tell(message: FromSubject): void {
  process.send?.(message)
}

const name = process.argv[2] as SubjectName
const tasks = new SubjectTasks(await loadProvider(name), name === 'none', () => tell({ type: 'ready' }))

process.on('disconnect', () => process.exit(0))
process.on('message', (command: Command) => {
  tasks.run(command).then(
    (reading) => tell({ type: 'done', reading }),
    (error: unknown) => tell({ type: 'failed', reason: String(error) }),
  )
})
tell({ type: 'ready' })
