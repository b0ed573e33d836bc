//! Listeners of every kind: opened, announced, refused, and what they leave behind.

use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, IntoRawFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};

use super::*;

fn one(place: &Place) -> Listener {
    let mut opened = Listener::open(place, None).unwrap();
    assert_eq!(opened.len(), 1, "{place}");
    opened.remove(0)
}

fn loopback() -> Place {
    Place::Inet("127.0.0.1:0".parse().unwrap())
}

fn inet(listener: &Listener) -> SocketAddr {
    match listener.address() {
        Address::Inet(address) => *address,
        Address::Unix(path) => panic!("{}", path.display()),
    }
}

fn accept(listener: &Listener) -> OwnedFd {
    crate::poll::wait(&[(listener.as_fd(), crate::poll::Interest::Readable)], None).unwrap();
    rustix::net::accept(listener).unwrap()
}

fn scratch(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("tapster-socket-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn an_address_is_listened_on_without_blocking_and_accepted_sockets_do_not_delay() {
    let listener = one(&loopback());
    assert!(!listener.is_unix() && listener.is_local() && !listener.is_dual_stack());
    assert_eq!(rustix::net::accept(&listener).unwrap_err(), rustix::io::Errno::AGAIN);
    let flags = rustix::io::fcntl_getfd(&listener).unwrap();
    assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
    let _client = TcpStream::connect(inet(&listener)).unwrap();
    assert!(rustix::net::sockopt::tcp_nodelay(accept(&listener)).unwrap() || cfg!(not(target_os = "linux")));
}

#[test]
fn a_port_in_use_names_its_holder() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = Place::Inet(taken.local_addr().unwrap());
    let error = Listener::open(&place, None).unwrap_err();
    assert!(error.is_in_use());
    let text = error.to_string();
    assert!(text.starts_with(&format!("cannot listen on {place}: already in use by ")), "{text}");
    assert!(cfg!(not(target_os = "linux")) || text.contains(&std::process::id().to_string()), "{text}");
}

#[test]
fn any_means_ipv4_and_ipv6_on_one_port() {
    let listeners = Listener::open(&Place::Any(0), None).unwrap();
    let port = inet(&listeners[0]).port();
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    if listeners[0].is_dual_stack() {
        TcpStream::connect((Ipv6Addr::LOCALHOST, port)).unwrap();
    }
    assert!(!listeners[0].is_local());
}

#[test]
fn a_name_means_all_its_addresses_on_one_port() {
    let listeners = Listener::open(&Place::Host("localhost".to_owned(), 0), None).unwrap();
    let port = inet(&listeners[0]).port();
    assert!(listeners.iter().all(|listener| listener.is_local() && inet(listener).port() == port));
    TcpStream::connect(("localhost", port)).unwrap();
    let error = Listener::open(&Place::Host("no-such-name.invalid".to_owned(), 0), None).unwrap_err();
    assert!(error.to_string().contains("the name has no address"), "{error}");
}

#[test]
fn the_backlog_is_what_the_system_grants() {
    let all = Backlog::new(Some(u32::MAX));
    assert!(all.is_clipped() && all.granted == somaxconn());
    let one = Backlog::new(Some(1));
    assert!(!one.is_clipped() && one.granted == 1);
    assert_eq!(Backlog::new(None).wanted, 4096);
}

#[test]
fn a_unix_socket_has_its_mode_and_its_file_goes_with_its_owner() {
    let path = scratch("mode").join("app.sock");
    let listener = one(&Place::Unix(path.clone(), Access::mode(0o660)));
    assert!(listener.is_unix() && listener.is_local());
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
    let _client = UnixStream::connect(&path).unwrap();
    accept(&listener);
    listener.try_clone().unwrap().remove_file();
    assert!(path.exists());
    listener.remove_file();
    assert!(!path.exists());
}

#[test]
fn a_stale_socket_is_replaced_and_a_living_one_is_not() {
    let path = scratch("stale").join("app.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let listener = one(&Place::Unix(path.clone(), Access::mode(0o600)));
    let error = Listener::open(&Place::Unix(path.clone(), Access::mode(0o600)), None).unwrap_err();
    assert!(error.is_in_use(), "{error}");
    drop(listener);
    std::fs::remove_file(&path).unwrap();
    let _datagram = UnixDatagram::bind(&path).unwrap();
    assert!(Listener::open(&Place::Unix(path, Access::mode(0o600)), None).unwrap_err().is_in_use());
}

#[test]
fn the_file_of_another_server_is_left_alone() {
    let path = scratch("other").join("app.sock");
    let listener = one(&Place::Unix(path.clone(), Access::mode(0o660)));
    std::fs::remove_file(&path).unwrap();
    let _other = UnixListener::bind(&path).unwrap();
    listener.remove_file();
    assert!(path.exists());
}

#[test]
fn what_cannot_be_a_unix_socket_is_refused_with_a_reason() {
    let folder = scratch("refused");
    let file = folder.join("notes.txt");
    std::fs::write(&file, "mine").unwrap();
    let error = Listener::open(&Place::Unix(file.clone(), Access::mode(0o660)), None).unwrap_err();
    assert!(error.to_string().contains("is not a socket"), "{error}");
    assert_eq!(std::fs::read_to_string(file).unwrap(), "mine");
    let long = folder.join("x".repeat(200));
    let error = Listener::open(&Place::Unix(long, Access::mode(0o660)), None).unwrap_err();
    assert!(error.to_string().contains("too long"), "{error}");
    let error =
        Listener::open(&Place::Unix(folder.join("absent/app.sock"), Access::mode(0o660)), None).unwrap_err();
    assert!(error.to_string().contains("No such file"), "{error}");
}

#[test]
fn an_inherited_listener_is_taken_over_whatever_its_kind() {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = tcp.local_addr().unwrap();
    let listener = one(&Place::Descriptor(tcp.into_raw_fd()));
    assert_eq!(inet(&listener), address);
    assert_eq!(rustix::net::accept(&listener).unwrap_err(), rustix::io::Errno::AGAIN);
    let path = scratch("inherited").join("app.sock");
    let unix = UnixListener::bind(&path).unwrap();
    let listener = one(&Place::Descriptor(unix.into_raw_fd()));
    assert_eq!(*listener.address(), Address::Unix(path.clone()));
    listener.remove_file();
    assert!(path.exists());
}

#[test]
fn descriptors_that_are_no_listeners_are_refused() {
    let refusal = |number: RawFd| Listener::open(&Place::Descriptor(number), None).unwrap_err().to_string();
    assert!(refusal(1).contains("standard"));
    assert!(refusal(987_654).contains("not open"));
    let (reader, _writer) = io::pipe().unwrap();
    assert!(refusal(reader.as_raw_fd()).contains("not a socket"));
    let datagram = UnixDatagram::unbound().unwrap();
    assert!(refusal(datagram.as_raw_fd()).contains("stream"));
}
