//! The driver's part in what the fleet reports: to the log, the operators, the service manager, the hooks and the server
//! before this one. Run by the supervisor.

use tapster_observe::Kind;
use tapster_sys::wait::Status;

use super::Driver;
use crate::Report;
use crate::report::Task;

impl Driver<'_> {
    pub(super) fn report(&mut self, report: Report) {
        if matches!(report, Report::Resized(workers) if workers > 1) {
            // Before the second one is started.
            self.board.note_many_workers();
        }
        self.manager.note(&report);
        self.control.note(&report, self.began.elapsed());
        match self.cause.take_if(|_| report == Report::Renewing) {
            Some(cause) => self.log.message(report.kind(), format_args!("{cause}: {report}")),
            None => self.write(report),
        }
        self.tell_predecessor(&report);
        let pid = report.slot().and_then(|slot| self.children.last(slot));
        (self.observer)(&report, pid);
    }

    /// Puts a report into the log.
    fn write(&self, report: Report) {
        if let Report::Reloading | Report::ReloadingFurther | Report::Renewing | Report::WorkerReady { .. } =
            report
        {
            self.board.forget_boot_failure();
        }
        let kind = match report {
            // With every save, and so of no interest.
            Report::Gone { status: Status::Exited(0), .. } if self.watcher.is_there() => Kind::Debug,
            _ => report.kind(),
        };
        if let Some(template) = report.template() {
            let name = self.templates.name(template);
            return self.log.message(kind, format_args!("{name} {report}"));
        }
        let Some(slot) = report.slot() else {
            return match report {
                Report::Stopping(_) => {
                    self.log.message(kind, format_args!("{report}; {} running now", self.busy()))
                }
                _ => self.log.message(kind, format_args!("{report}")),
            };
        };
        let name = self.children.name(slot);
        match report {
            Report::Overdue { task: Task::Drain, .. } => {
                let busy = self.board.worker(slot).busy_threads();
                self.log.message(kind, format_args!("{name} {report}; {busy} request(s) still running"));
            }
            _ => self.log.message(kind, format_args!("{name} {report}")),
        }
    }

    /// Requests in the application, in all workers.
    fn busy(&self) -> usize {
        let slots = (0..self.board.workers()).filter(|slot| self.children.pid(*slot).is_some());
        slots.map(|slot| self.board.worker(slot).busy_threads()).sum()
    }
}
