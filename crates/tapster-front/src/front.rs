//! The front's process from its start to its end: one thread, one event loop, what all connections share.

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use tapster_config::{Settings, UpstreamGroup};
use tapster_gateway::RequestIds;
use tapster_http1::encode::DateCache;
use tapster_observe::{FrontBoard, Log, Scoreboard, WorkerBoard};
use tapster_sys::inbox::{Inbox, Message};
use tapster_sys::jitter;
use tapster_sys::socket::Listener;
use tokio::runtime::{Builder, LocalOptions};
use tokio::task::spawn_local;

use crate::acme::{self, Acme, Prepared};
use crate::admission::Admission;
use crate::cache::Cache;
use crate::compress::Compression;
use crate::drain::Drain;
use crate::policy::Policy;
use crate::route::Routes;
use crate::spool::Account;
use crate::tls::Tls;
use crate::upstream::{Rules, Upstreams};
use crate::workers::Workers;
use crate::{listen, orders};

/// Threads that wait for disks at once.
const DISK_THREADS: usize = 16;

/// What connects the front with the other processes.
pub struct Ends {
    /// The listeners of the clients.
    pub listeners: Vec<Listener>,
    /// Orders of the supervisor, and the word that the front is ready.
    pub inbox: Inbox,
    /// Where to send connections for the worker of each slot.
    pub workers: Vec<(usize, Inbox)>,
    /// Certificates and keys, from [`Secrets::to_file`](crate::tls::Secrets::to_file), where TLS is asked for.
    pub secrets: Option<OwnedFd>,
    /// Where the certificates are kept that are obtained, with `--domain`.
    pub acme: Option<Prepared>,
    /// A pipe that ends when the supervisor does: readable then, and never before.
    pub alive: OwnedFd,
    /// The counters of the workers.
    pub board: Scoreboard,
    /// Where it counts what it does.
    pub counters: FrontBoard,
    /// For a front that stands before no workers: what it is to its supervisor.
    pub alone: Option<WorkerBoard>,
    /// Makes settings of what comes with [`Message::Configuration`], or says what is wrong with it.
    pub renew: Renew,
}

/// See [`Ends::renew`].
pub type Renew = Box<dyn Fn(&[u8]) -> Result<Settings, String>>;

/// What all connections share.
pub(crate) struct Front {
    pub(crate) policy: Policy,
    /// Who may come in, where not everybody may.
    pub(crate) admission: Option<Rc<Admission>>,
    pub(crate) routes: Routes,
    pub(crate) workers: Rc<Workers>,
    pub(crate) tls: Option<Rc<Tls>>,
    /// What obtains certificates.
    pub(crate) acme: Option<Rc<Acme>>,
    /// How answers are compressed, if they are.
    pub(crate) compression: Option<Compression>,
    /// Answers that are kept, if any are.
    pub(crate) cache: Option<Rc<Cache>>,
    pub(crate) drain: Rc<Drain>,
    pub(crate) board: FrontBoard,
    pub(crate) log: Log,
    date: RefCell<DateCache>,
    /// Names for requests.
    pub(crate) ids: Cell<RequestIds>,
    /// What was read last of a connection that rested: one large buffer for all of them.
    pub(crate) incoming: RefCell<Vec<u8>>,
    /// What is in temporary files.
    account: Account,
    /// The one that new requests come to: this, or one that was made of a later configuration.
    newest: Rc<RefCell<Option<Rc<Front>>>>,
}

impl Front {
    /// The value of Date now.
    pub(crate) fn date(&self) -> [u8; 29] {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let mut date = [b' '; 29];
        date.copy_from_slice(self.date.borrow_mut().at(now));
        date
    }

    /// The front that new requests come to.
    pub(crate) fn newest(self: &Rc<Front>) -> Rc<Front> {
        self.newest.borrow().as_ref().unwrap_or(self).clone()
    }

    /// Serves new requests by these settings from now on; those that run end as they began. Connections stay, and what is known
    /// of upstreams that stay.
    ///
    /// # Errors
    /// In words for the operator; then nothing has changed.
    pub(crate) fn renew(self: &Rc<Front>, settings: &Settings) -> Result<(), String> {
        let old = self.newest();
        let known = old.routes.upstreams();
        let mut group = |group: &UpstreamGroup| {
            let rules = Rules::new(settings, group);
            match known.iter().find(|one| one.is_called(&group.name)) {
                Some(same) if same.has_rules(&rules) => same.clone(),
                before => Upstreams::new(rules, &old.account, &old.board, &old.log, before),
            }
        };
        let routes = Routes::new(settings, &mut group)?;
        // What is known of clients stays with the rules that it is about.
        let same = old.admission.as_ref().filter(|one| one.is_made_of(&settings.protection));
        let admission = match same {
            Some(same) => Some(same.clone()),
            None => Admission::new(settings)?.map(Rc::new),
        };
        if let Some(tls) = &old.tls {
            tls.follow(settings);
        }
        let new = Rc::new(Front {
            policy: Policy::new(settings, &[]).with_port(old.policy.https_port),
            admission,
            routes,
            workers: old.workers.clone(),
            tls: old.tls.clone(),
            acme: old.acme.clone(),
            compression: Compression::new(settings),
            // What is kept stays, with the options that it was kept by.
            cache: old.cache.clone(),
            drain: old.drain.clone(),
            board: old.board.clone(),
            log: old.log.clone(),
            date: RefCell::default(),
            ids: Cell::new(old.ids.get()),
            incoming: RefCell::default(),
            account: old.account.clone(),
            newest: old.newest.clone(),
        });
        let groups = new.routes.upstreams();
        let is_gone = |one: &&Rc<Upstreams>| !groups.iter().any(|group| Rc::ptr_eq(group, one));
        known.iter().filter(is_gone).for_each(|group| group.retire());
        new.start(&known);
        self.newest.replace(Some(new));
        Ok(())
    }

    /// Looks after the upstreams, but for those that were looked after before.
    fn start(&self, known: &[Rc<Upstreams>]) {
        let groups = self.routes.upstreams();
        self.board.set_upstreams(groups.iter().map(|group| group.count()).sum());
        let is_new = |one: &&Rc<Upstreams>| !known.iter().any(|group| Rc::ptr_eq(group, one));
        groups.iter().filter(is_new).for_each(|group| group.start());
    }

    /// Begins the end: nobody is to send clients here any more.
    pub(crate) fn begin_drain(&self) {
        self.board.set_ready(false);
        self.drain.begin();
    }
}

/// Runs the front in this process until the supervisor ends it. Called before the process has any other thread.
///
/// # Errors
/// When the system refuses what no front can do without: an event loop, its listeners.
pub fn run(settings: &Settings, ends: Ends, log: &Log) -> io::Result<()> {
    let runtime = Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .max_blocking_threads(DISK_THREADS)
        .build_local(LocalOptions::default())?;
    let Ends { listeners, inbox, workers, secrets, acme, alive, board, counters, alone, renew } = ends;
    let acme = acme.map(|prepared| Acme::new(settings, prepared));
    counters.reset(std::process::id());
    let account = Account { own: alone, all: board.clone() };
    let mut group = |group: &UpstreamGroup| {
        let rules = Rules::new(settings, group);
        Upstreams::new(rules, &account, &counters, log, None)
    };
    let routes = Routes::new(settings, &mut group).map_err(io::Error::other)?;
    let front = Rc::new(Front {
        policy: Policy::new(settings, &listeners),
        admission: Admission::new(settings).map_err(io::Error::other)?.map(Rc::new),
        routes,
        tls: Tls::new(settings, secrets, acme.as_ref().map(|acme| acme.obtained()))?.map(Rc::new),
        acme,
        workers: Workers::new(board, workers, counters.clone()),
        compression: Compression::new(settings),
        cache: Cache::new(settings, &counters),
        drain: Drain::new(),
        board: counters.clone(),
        log: log.clone(),
        date: RefCell::default(),
        ids: Cell::new(RequestIds::new(jitter::seed())),
        incoming: RefCell::default(),
        account,
        newest: Rc::default(),
    });
    front.newest.replace(Some(front.clone()));
    runtime.block_on(async move {
        spawn_local(front.workers.clone().serve_queue());
        front.start(&[]);
        acme::start(&front);
        listen::start(&front, listeners)?;
        inbox.send(Message::Ready, None)?;
        front.board.set_ready(true);
        orders::obey(&front, inbox, alive, &renew).await
    })
}
