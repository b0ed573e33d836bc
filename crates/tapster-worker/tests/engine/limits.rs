//! A process without descriptors to spare: accepting pauses, says so once, and goes on when there are some again.
//! The limit is a process's, so the test runs in a process of its own.

use std::process::Command;
use std::time::Duration;

use tapster_sys::inbox::Message;
use tapster_sys::socket::Address;

use crate::app::ok;
use crate::server::Wanted;

#[test]
fn without_descriptors_accepting_pauses_and_recovers() {
    let own = std::env::current_exe().unwrap();
    let limited = "ulimit -n 64 && exec \"$0\" --exact limits::in_a_small_process --ignored --nocapture";
    let output = Command::new("sh").args(["-c", limited]).arg(own).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
#[ignore = "run by the test above, with few descriptors"]
fn in_a_small_process() {
    // The clients share the descriptors; another lane would take so many that they are out of them first.
    let server = Wanted::threads(2).lanes(1).serve(|_, respond| ok(respond, b"hello"));
    let Address::Inet(address) = server.address else { unreachable!("opened as TCP") };
    let mut clients = Vec::new();
    while let Ok(stream) = std::net::TcpStream::connect(address) {
        clients.push(stream);
        assert!(clients.len() < 64);
        // Time for the server to take its end, as long as it can.
        std::thread::sleep(Duration::from_millis(2));
    }
    // Messages with descriptors are lost, and nothing else.
    let _no_room = server.inbox.send(Message::Poke, None);
    std::thread::sleep(Duration::from_millis(600));
    clients.truncate(4);
    for _ in 0..20 {
        let mut client = server.connect();
        assert_eq!(client.get("/").text(), "hello");
    }
    let said = server.log().matches("cannot accept connections for now").count();
    assert_eq!(said, 1, "{}", server.log());
}
