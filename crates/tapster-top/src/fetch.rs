//! What waits for the server's answers, so that the screen never does: a thread that reads again and again, and one for each
//! order.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use tapster_supervisor::control::live::Reading;

use crate::server::Server;
use crate::stacks;

/// What the operator orders.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Order {
    /// Replace a worker.
    Recycle { worker: usize, pid: Option<u32> },
    /// Replace all.
    Reload,
    /// Show the stacks of a worker, or of one of its threads.
    Stacks { worker: usize, thread: Option<usize> },
}

/// What has become known.
pub(crate) enum News {
    /// How the server is, or why that is not known.
    Reading(Result<Box<Reading>, String>),
    /// What was said to an order.
    Said(Result<String, String>),
    /// Stacks, under a title.
    Stacks(String, String),
}

/// The threads and what they say.
pub(crate) struct Fetch {
    server: Arc<dyn Server>,
    sender: Sender<News>,
    pub(crate) news: Receiver<News>,
}

impl Fetch {
    /// Reads from now on, once in each interval.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub(crate) fn begin(server: Arc<dyn Server>, interval: Duration) -> io::Result<Fetch> {
        let (sender, news) = mpsc::channel();
        let (readings, source) = (sender.clone(), Arc::clone(&server));
        let mut next = Instant::now() + interval;
        spawn("tapster-top-reader", move || {
            loop {
                thread::sleep(next.saturating_duration_since(Instant::now()));
                next = Instant::now() + interval;
                if readings.send(News::Reading(source.reading().map(Box::new))).is_err() {
                    return;
                }
            }
        })?;
        Ok(Fetch { server, sender, news })
    }

    /// Gives an order, whose answer comes as news.
    pub(crate) fn order(&self, order: Order) {
        let (server, sender) = (Arc::clone(&self.server), self.sender.clone());
        let obeyed = spawn("tapster-top-order", move || {
            let news = match order {
                Order::Recycle { worker, .. } => News::Said(server.recycle(worker)),
                Order::Reload => News::Said(server.reload()),
                Order::Stacks { worker, thread } => {
                    match server.stacks().and_then(|all| stacks::select(&all, worker, thread)) {
                        Ok(text) => News::Stacks(title(worker, thread), text),
                        Err(error) => News::Said(Err(error)),
                    }
                }
            };
            // The operator may have gone.
            let _gone = sender.send(news);
        });
        if let Err(error) = obeyed {
            let _gone = self.sender.send(News::Said(Err(format!("no thread to ask the server: {error}"))));
        }
    }
}

fn title(worker: usize, thread: Option<usize>) -> String {
    match thread {
        Some(thread) => format!("stack of thread {thread} of worker {worker}"),
        None => format!("stacks of worker {worker}"),
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(run).map(drop)
}
