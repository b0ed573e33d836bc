//! How a running server is watched and told what to do: the control socket for operators, and the admin listeners for
//! health checks and metrics. Served by the supervisor's own loop between its other work, so that both answer whatever the
//! application does; nothing here waits for a client.

pub mod admin;
pub mod clients;
mod dashboard;
mod door;
mod front;
mod history;
pub mod live;
mod metrics;
pub mod place;
mod profile;
pub mod protocol;
mod requests;
mod socket;
mod stacks;
mod statistics;
mod statsd;
mod status;

use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use tapster_config::{ControlSocket, MetricNames, Settings, Shown};
use tapster_observe::{Incident, Log, LogCounts, Scoreboard, exposition};
use tapster_sys::inbox::Inbox;
use tapster_sys::peer;
use tapster_sys::poll::Interest;
use tapster_sys::process::Pid;
use tapster_sys::socket::Listener;

use crate::channels::Channels;
use crate::children::Children;
use crate::{Command, Fleet, Report};

use admin::{Admin, Sources, Views};
use clients::{ClientId, Clients};
use dashboard::Dashboard;
use door::Door;
use history::{History, ReloadEnd};
use metrics::Subject;
use protocol::{Health, Identity, LONGEST_REQUEST, Reloaded, Scaled, failure, success};
use socket::{Opened, Socket};
use stacks::Collection;
use statistics::Statistics;
use statsd::Pusher;

/// Time since the supervisor started.
type Time = Duration;

/// Operators at a time.
const MOST_CLIENTS: usize = 32;

/// The other parts of the supervisor, to be looked at for an answer.
pub struct Scene<'a> {
    /// The time.
    pub now: Time,
    /// The workers as they should be.
    pub fleet: &'a Fleet,
    /// The workers' processes.
    pub children: &'a Children,
    /// The workers' counters.
    pub board: &'a Scoreboard,
    /// The ways to the workers.
    pub channels: &'a Channels,
    /// Where what stands before them gets its orders, if something does.
    pub front: Option<&'a Inbox>,
    /// The process of that.
    pub front_process: Option<Pid>,
    /// Where clients come.
    pub listeners: &'a [Listener],
    /// The supervisor's log.
    pub log: &'a Log,
    /// What holds, and where it was written.
    pub configuration: &'a dyn Fn() -> Vec<Shown>,
}

impl Scene<'_> {
    /// What the logs of all processes have counted.
    pub fn log_counts(&self) -> LogCounts {
        let workers = self.board.iter().map(|board| board.log_counts());
        let fronts = self.board.fronts().map(|board| board.log_counts());
        workers.chain(fronts).fold(self.log.counts(), LogCounts::plus)
    }
}

/// Everything that listens to operators and health checks.
#[derive(Debug)]
pub struct Control {
    wanted: ControlSocket,
    log: Log,
    socket: Option<(Socket, Door)>,
    /// Whether new clients are this server's, and not those of the one before or after it, which shares the socket.
    is_asked: bool,
    /// Who has taken over.
    heir: Option<u32>,
    /// When a socket that another server had is tried again.
    retry: Option<Time>,
    clients: Clients,
    waiting: Vec<(Asker, Wish)>,
    stacks: Option<Collection>,
    /// The profile that is being made, and for whom.
    profile: Option<(Asker, Collection)>,
    /// Whether [`Control::serve`] has work of its own: a client that was answered may have sent its next request already,
    /// and a reload that was ordered is to be followed.
    has_work: bool,
    admin: Admin,
    /// What is shown there; none where nobody listens.
    dashboard: Option<Dashboard>,
    statistics: Statistics,
    pusher: Option<Pusher>,
    names: MetricNames,
    history: History,
    identity: Identity,
    has_cache: bool,
    /// The workers are fronts.
    is_front: bool,
    started: SystemTime,
}

/// Who asks something that others answer too.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Asker {
    /// A client of the control socket.
    Operator(ClientId),
    /// A client of the admin listeners.
    Page(ClientId),
}

/// What a client waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Wish {
    /// A reload that was ordered for it, of which the fleet may not know yet: one that ends now is another.
    ReloadOrdered,
    /// The end of the reload that runs.
    ReloadEnd,
    /// The new number of workers.
    Scaled,
    /// What every thread does.
    Stacks,
}

/// What a descriptor belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Source {
    Socket,
    Client(ClientId),
    Stacks(usize),
    Profile(usize),
    Admin(admin::Source),
    Statistics(statistics::Source),
}

impl Control {
    /// Listens to nobody yet; `admin` are the listeners for health checks, `stats` those for uWSGI's statistics.
    pub fn new(
        settings: &Settings,
        listeners: &[Listener],
        (admin, stats): (Vec<Listener>, Vec<Listener>),
        log: &Log,
    ) -> Control {
        let identity = Identity {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            app: settings.app.clone().unwrap_or_default(),
            listeners: listeners.iter().map(|listener| listener.address().to_string()).collect(),
        };
        let started = SystemTime::now();
        let admin = Admin::new(admin, settings.admin.clone(), log);
        let dashboard = admin.is_there().then(|| Dashboard::new(started, log, admin.takes_orders()));
        Control {
            wanted: settings.control_socket.clone(),
            log: log.clone(),
            socket: None,
            is_asked: false,
            heir: None,
            retry: None,
            clients: Clients::new(MOST_CLIENTS, LONGEST_REQUEST),
            waiting: Vec::new(),
            stacks: None,
            profile: None,
            has_work: false,
            admin,
            dashboard,
            statistics: Statistics::new(stats, settings.monitoring.stats_http),
            pusher: Pusher::new(&settings.monitoring.statsd, log),
            names: settings.monitoring.names,
            history: History::default(),
            identity,
            has_cache: settings.caching.size > 0,
            is_front: settings.front_alone,
            started,
        }
    }

    /// Gives the path if somebody else has it.
    fn open_socket(&mut self, now: Time) -> Option<PathBuf> {
        self.retry = None;
        match Socket::open(&self.wanted, &self.log) {
            Opened::Socket(socket) => self.socket = Some((socket, Door::default())),
            Opened::None => {}
            Opened::InUse(path) => {
                self.retry = Some(now + socket::RETRY);
                return Some(path);
            }
        }
        None
    }

    /// What is to be waited for.
    pub fn sources(&self) -> impl Iterator<Item = (BorrowedFd<'_>, Interest)> {
        self.watched().map(|(_, source)| source)
    }

    fn watched(&self) -> impl Iterator<Item = (Source, (BorrowedFd<'_>, Interest))> {
        let open = self.socket.iter().filter(|(_, door)| self.is_asked && door.is_open());
        let doors = open
            .flat_map(|(socket, _)| socket.listeners())
            .map(|listener| (Source::Socket, (listener.as_fd(), Interest::Readable)));
        let clients = self.clients.sources().map(|(id, source)| (Source::Client(id), source));
        let admin = self.admin.sources().map(|(which, source)| (Source::Admin(which), source));
        let stacks = self.stacks.iter().flat_map(Collection::sources);
        let stacks = stacks.map(|(place, source)| (Source::Stacks(place), source));
        let profile = self.profile.iter().flat_map(|(_, profile)| profile.sources());
        let profile = profile.map(|(place, source)| (Source::Profile(place), source));
        let statistics = self.statistics.sources().map(|(which, source)| (Source::Statistics(which), source));
        doors.chain(clients).chain(stacks).chain(profile).chain(admin).chain(statistics)
    }

    /// When [`Control::serve`] is to be called at the latest, if ever.
    pub fn deadline(&self) -> Option<Time> {
        let door = self.socket.as_ref().and_then(|(_, door)| door.deadline());
        let now = self.has_work.then_some(Time::ZERO);
        let stacks = self.stacks.as_ref().map(Collection::deadline);
        let profile = self.profile.as_ref().map(|(_, profile)| profile.deadline());
        let push = self.pusher.as_ref().map(Pusher::deadline);
        let look = self.dashboard.as_ref().map(Dashboard::next);
        let listeners = [self.admin.deadline(), self.statistics.deadline()];
        [self.clients.deadline(), self.retry, push, look, door, stacks, profile, now]
            .into_iter()
            .chain(listeners)
            .flatten()
            .min()
    }

    /// Serves those of [`Control::sources`] that were `found` to be ready. Gives what operators order.
    pub fn serve(&mut self, found: &[bool], scene: &Scene<'_>) -> Vec<Command> {
        self.follow_reloads(scene.now);
        let ready = self.watched().zip(found).filter(|(_, found)| **found).map(|((which, _), _)| which);
        for source in ready.collect::<Vec<_>>() {
            match source {
                Source::Socket => self.accept(scene.now),
                Source::Client(id) => self.clients.attend(id, scene.now),
                Source::Stacks(place) => self.stacks.iter_mut().for_each(|stacks| stacks.attend(place)),
                Source::Profile(place) => self.profile.iter_mut().for_each(|(_, all)| all.attend(place)),
                Source::Admin(which) => self.admin.attend(which, scene.now),
                Source::Statistics(which) => self.statistics.attend(which, scene.now),
            }
        }
        self.pass_time(scene.now);
        self.tell_stacks(scene.now);
        self.tell_profile(scene.now);
        self.look(scene);
        let mut commands = self.answer_admin(scene);
        commands.extend(self.answer_requests(scene));
        commands
    }

    /// Sees how the server is, if it is time, and tells those who follow.
    fn look(&mut self, scene: &Scene<'_>) {
        let Some(dashboard) = &mut self.dashboard else { return };
        let (history, identity) = (&self.history, &self.identity);
        let has_seen = dashboard.look(scene.now, || live::look::reading(scene, history, identity));
        if has_seen && self.admin.is_followed() {
            self.admin.tell(&dashboard.news(history), scene.now);
        }
    }

    fn answer_admin(&mut self, scene: &Scene<'_>) -> Vec<Command> {
        let health = status::health(scene, &self.history, self.heir.is_some());
        let subject = Subject { scene, history: &self.history, health, started: self.started };
        let names = self.names;
        let metrics = |format| Some(exposition::text(&metrics::named(&subject, names), format));
        let configuration = || protocol::configuration(&(scene.configuration)());
        let events = |last: Option<&str>| {
            let dashboard = self.dashboard.as_ref();
            dashboard.map_or_else(Vec::new, |dashboard| dashboard.opening(&self.history, last))
        };
        let views = Views { configuration: &configuration, events: &events };
        // Who follows comes to the server that goes on.
        let views = self.heir.is_none().then_some(views);
        let asked = self.admin.answer(&Sources { health, metrics: &metrics, views }, scene.now);
        self.statistics.answer(scene, self.started);
        if let Some(pusher) = &mut self.pusher {
            pusher.push(scene.now, || metrics::families(&subject));
        }
        asked.into_iter().filter_map(|(id, request)| self.obey(Asker::Page(id), request, scene)).collect()
    }

    /// The fleet knows of every order by now. One that it folded into a reload before was not reported.
    fn follow_reloads(&mut self, now: Time) {
        self.begin_reloads();
        if let Some(last) = self.history.last_reload().cloned().filter(|_| !self.history.is_reloading()) {
            self.tell_reload(last, now);
        }
    }

    fn begin_reloads(&mut self) {
        for (_, wish) in self.waiting.iter_mut().filter(|(_, wish)| *wish == Wish::ReloadOrdered) {
            *wish = Wish::ReloadEnd;
        }
    }

    fn tell_reload(&mut self, ReloadEnd { error, took, .. }: ReloadEnd, now: Time) {
        let answer = match (error, self.heir) {
            (None, _) => success(Reloaded { seconds: took.as_secs_f64() }),
            (Some(_), Some(heir)) => protocol::moved(heir),
            (Some(error), None) => failure(error),
        };
        self.fulfil(Wish::ReloadEnd, &answer, now);
    }

    fn pass_time(&mut self, now: Time) {
        self.clients.expire(now);
        self.admin.expire(now);
        self.statistics.expire(now);
        if let Some((_, door)) = &mut self.socket {
            door.pass_time(now);
        }
        if self.retry.is_some_and(|retry| retry <= now) {
            self.open_socket(now);
        }
    }

    fn tell_stacks(&mut self, now: Time) {
        if let Some(result) = self.stacks.as_ref().and_then(|stacks| stacks.result(now)) {
            self.stacks = None;
            self.fulfil(Wish::Stacks, &success(result), now);
        }
    }

    fn accept(&mut self, now: Time) {
        let Some((socket, door)) = &mut self.socket else { return };
        for listener in socket.listeners() {
            while let Some(stream) = door.accept(listener, now) {
                let own = peer::own_user();
                match peer::user(stream.as_fd()) {
                    Ok(user) if user == own || user == 0 => {
                        self.clients.add(stream, now);
                    }
                    Ok(user) => self.log.report(Incident::CONTROL_PEER_REFUSED, format_args!(
                        "refused user {user} at the control socket: only user {own} and root are listened to"
                    )),
                    Err(error) => {
                        self.log.debug(format_args!("a peer of the control socket is unknown: {error}"))
                    }
                }
            }
        }
    }

    /// Keeps what a worker said of the application that it cannot load.
    pub fn note_reason(&mut self, slot: usize, reason: String) {
        self.history.note_reason(slot, reason);
    }

    /// Keeps what a template said of the application that it cannot load.
    pub fn note_template_reason(&mut self, reason: String) {
        self.history.note_template_reason(reason);
    }

    /// Keeps what is wrong with the configuration that was read anew.
    pub fn note_configuration(&mut self, why: String) {
        self.history.note_configuration(why);
    }

    /// Learns from what the fleet reports, and answers those who wait for it.
    pub fn note(&mut self, report: &Report, now: Time) {
        match report {
            Report::Reloading | Report::ReloadingFurther | Report::Renewing => self.begin_reloads(),
            Report::Resized(workers) => {
                self.fulfil(Wish::Scaled, &success(Scaled { workers: *workers }), now);
            }
            Report::ResizeRefused(workers) => {
                self.fulfil(Wish::Scaled, &failure(format!("refused; workers: {workers}, as before")), now);
            }
            _ => {}
        }
        if let Some(end) = self.history.note(report, now) {
            self.tell_reload(end, now);
        }
        if self.history.stopping {
            let why = self.heir.map_or_else(|| failure("the server is stopping"), protocol::moved);
            for wish in [Wish::ReloadOrdered, Wish::ReloadEnd, Wish::Scaled] {
                self.fulfil(wish, &why, now);
            }
        }
    }

    /// Answers all who wait for this.
    fn fulfil(&mut self, done: Wish, answer: &[u8], now: Time) {
        let (ready, still): (Vec<_>, Vec<_>) = self.waiting.drain(..).partition(|(_, wish)| *wish == done);
        self.waiting = still;
        for (id, _) in ready {
            self.reply(id, answer, now);
            self.has_work = true;
        }
    }

    /// Listens to operators and health checks from now on, or leaves them to the server before or after this one, which has
    /// the same sockets: they wait until it listens. Those who are connected are served to their end.
    pub fn answer_new_clients(&mut self, yes: bool, now: Time) {
        self.admin.answer_new_clients(yes);
        self.statistics.answer_new_clients(yes);
        self.is_asked = yes;
        if !yes {
            self.retry = None;
            return;
        }
        // Another server had it for a moment, and may have put its own there.
        if let Some((socket, _)) = self.socket.take_if(|(socket, _)| !socket.is_reachable()) {
            socket.remove();
        }
        if self.socket.is_none()
            && let Some(path) = self.open_socket(now)
        {
            self.log.report(Incident::CONTROL_SOCKET_TAKEN, format_args!(
                "the control socket {} belongs to a server that runs; it is taken over when that one ends \
                 (--control-socket)",
                path.display()
            ));
        }
    }

    /// How many of [`Control::listeners`] options name.
    pub fn bound(&mut self) -> usize {
        self.admin.listeners().len() + self.statistics.listeners().len()
    }

    /// All listeners: those for health checks and for statistics in the order in which they were given, and the control socket.
    pub fn listeners(&mut self) -> impl Iterator<Item = &mut Listener> {
        let socket = self.socket.iter_mut().flat_map(|(socket, _)| socket.listeners_mut());
        self.admin.listeners().iter_mut().chain(self.statistics.listeners()).chain(socket)
    }

    /// Whether this listener of the server before is the control socket that this server would open.
    pub fn is_wanted(&self, listener: &Listener) -> bool {
        Socket::fits(&self.wanted, listener)
    }

    /// Takes the control socket of the server before.
    pub fn inherit(&mut self, listener: Listener) {
        let socket = Socket::inherited(&self.wanted, listener);
        self.socket = socket.map(|socket| (socket, Door::default()));
    }

    /// Lets go of the control socket, which is another server's from now on. Who orders something here is sent there.
    pub fn give_away(&mut self, heir: Pid) {
        self.heir = u32::try_from(heir.as_raw()).ok();
        self.admin.end_streams();
        if let Some((socket, _)) = self.socket.take() {
            socket.remove();
        }
    }

    /// Answers the health checks that have been accepted, since a server that has taken over goes on. Called when this one
    /// ends; takes a second at most.
    pub fn part_from_probes(&mut self, began: Instant) {
        if self.heir.is_some() {
            let health = Health { ready: true, started: true };
            self.admin.serve_to_end(&Sources { health, metrics: &|_| None, views: None }, || began.elapsed());
        }
    }

    /// Removes what the file system shows of it. Called when the server ends.
    pub fn remove(&self) {
        if let Some((socket, _)) = &self.socket {
            socket.remove();
        }
        self.admin.remove();
        self.statistics.remove();
    }
}
