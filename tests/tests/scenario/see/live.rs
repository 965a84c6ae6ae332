//! `nearpath watch` and `nearpath top` see what happens now.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use nearpath_tests::{ask, daemon, mode};

use super::{House, house, until};

/// A subcommand at work; killed with its owner.
struct Running(Child);

impl Running {
    fn start(house: &House, arguments: &[&str]) -> Self {
        let child = Command::new(daemon::binary())
            .args(arguments)
            .arg("--statedir")
            .arg(house.folder())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        Self(child.expect("the binary can be started"))
    }

    /// Waits for its end.
    #[track_caller]
    fn code(&mut self) -> Option<i32> {
        let mut code = None;
        until("it ends", || {
            code = self.0.try_wait().expect("the child is ours");
            code.is_some()
        });
        code.and_then(|status| status.code())
    }

    fn interrupt(&self) {
        let id = nix::unistd::Pid::from_raw(self.0.id().cast_signed());
        nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGINT).expect("it has not been waited for");
    }

    fn said(&mut self) -> String {
        let mut text = String::new();
        self.0.stdout.take().expect("piped").read_to_string(&mut text).expect("UTF-8");
        text
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Asks again and again until somebody who was started beside has seen enough.
#[track_caller]
fn asks_until_it_ends(house: &House, watch: &mut Running, names: &[&str]) {
    let client = house.daemon.client_at("127.3.0.1".parse().expect("an address"));
    until("it has seen enough", || {
        names.iter().for_each(|name| drop(client.asks(&ask(name, "A"))));
        watch.0.try_wait().expect("the child is ours").is_some()
    });
}

#[test]
fn watch_sees_the_queries_that_match_and_no_others() {
    let house = house();
    let names = ["www.example.com", "nothing.example.com", "db.shop.svc.cluster.local"];
    for (arguments, expected) in [
        (&["watch", "--count", "3", "--name", "www.*", "--json"][..], ["www.example.com", "NOERROR"]),
        (&["watch", "--count", "3", "--rcode", "nxdomain", "--json"], ["nothing.example.com", "NXDOMAIN"]),
        (
            &["watch", "--count", "3", "--pod", "shop/web", "--name", "db.*", "--json"],
            ["db.shop.svc.cluster.local", "NOERROR"],
        ),
    ] {
        let mut watch = Running::start(&house, arguments);
        asks_until_it_ends(&house, &mut watch, &names);
        assert_eq!(watch.code(), Some(0));
        let said = watch.said();
        assert_eq!(said.lines().count(), 3, "{said}");
        for line in said.lines() {
            let seen: serde_json::Value = serde_json::from_str(line).expect("JSON in each line");
            let name = seen["name"].as_str().expect("a name").trim_end_matches('.');
            assert_eq!([name, seen["rcode"].as_str().unwrap_or_default()], expected, "{arguments:?}: {line}");
            assert_eq!((&seen["client"], &seen["transport"]), (&"127.3.0.1".into(), &"udp".into()), "{line}");
            assert_eq!(seen["pod"], "shop/web", "{line}");
        }
    }
}

#[test]
fn an_interrupt_or_a_reader_that_has_gone_ends_watch_well() {
    let house = house();
    let client = house.daemon.client();
    let mut watch = Running::start(&house, &["watch"]);
    let mut out = BufReader::new(watch.0.stdout.take().expect("piped"));
    let (line, seen) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        out.read_line(&mut text).expect("UTF-8");
        line.send(text).ok();
        out
    });
    let mut first = None;
    until("a line", || {
        client.asks(&ask("www.example.com", "A"));
        first = seen.try_recv().ok();
        first.is_some()
    });
    // the watchdog, which asks all the time, is nobody's business
    let first = first.unwrap_or_default();
    assert!(first.contains("127.0.0.1 udp www.example.com") && first.contains("NOERROR"), "{first}");
    watch.interrupt();
    assert_eq!(watch.code(), Some(0), "an interrupt");
    drop(reader.join().expect("it reads"));

    let mut watch = Running::start(&house, &["watch", "--name", "www.*"]);
    drop(watch.0.stdout.take());
    asks_until_it_ends(&house, &mut watch, &["www.example.com"]);
    assert_eq!(watch.code(), Some(0), "nobody reads on");
}

#[test]
fn top_shows_a_second_of_a_daemon_in_eighty_columns() {
    let house = house();
    let client = house.daemon.client_at("127.3.0.1".parse().expect("an address"));
    house.says(&["top", "--once"]); // from now on names are counted
    let mut text = String::new();
    until("the name that is asked for is at the top", || {
        let mut top = Running::start(&house, &["top", "--once"]);
        while top.0.try_wait().expect("the child is ours").is_none() {
            client.asks(&ask("www.example.com", "A"));
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        assert_eq!(top.code(), Some(0));
        text = top.said();
        text.contains("www.example.com") && text.contains("shop/web") && !text.contains("from memory -")
    });
    assert!(text.lines().count() <= 24 && text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(text.starts_with("nearpath ") && text.contains(&house.centre.address()), "{text}");

    let told = house.says(&["top", "--once", "--json"]).json();
    assert!(told["overview"]["queries"].as_u64().is_some_and(|queries| queries > 0), "{told}");
    assert!(told["rates"]["queries"].is_number() && told["top"]["names"].is_array(), "{told}");

    let without = house.says(&["top"]);
    assert_eq!(without.code, Some(2));
    assert!(without.err.contains("--once"), "{without:?}");
}

#[test]
fn top_draws_on_a_terminal_and_gives_it_back() {
    if !mode::have("scenario: top on a terminal", &["script", "stty"]) {
        return;
    }
    let house = house();
    let program = daemon::binary().display().to_string();
    let line = format!("stty rows 24 cols 80; exec {program} top --statedir {}", house.folder().display());
    let child = mode::command("script")
        .args(["-q", "-e", "-c", &line, "/dev/null"])
        .env("TERM", "xterm")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut top = Running(child.expect("script can be started"));
    let mut keys = top.0.stdin.take().expect("piped");
    let mut out = top.0.stdout.take().expect("piped");
    let drawn = Arc::new(Mutex::new(Vec::new()));
    let own = Arc::clone(&drawn);
    let reader = std::thread::spawn(move || {
        let mut octets = [0; 4_096];
        while let Ok(length @ 1..) = out.read(&mut octets) {
            own.lock().expect("nobody panics with it").extend_from_slice(&octets[..length]);
        }
    });
    let has = |text: &str| {
        let drawn = drawn.lock().expect("nobody panics with it");
        drawn.windows(text.len()).any(|part| part == text.as_bytes())
    };
    until("a frame", || has("source of answers"));
    assert!(has("\x1b[?1049h") && !has("\x1b[?1049l"), "the screen beside");
    keys.write_all(b"q").expect("the terminal reads");
    assert_eq!(top.code(), Some(0));
    reader.join().expect("it reads");
    assert!(has("\x1b[?1049l"), "the screen before");
}
