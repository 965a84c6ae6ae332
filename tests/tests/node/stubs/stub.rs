//! The stub resolvers: what each needs, how it is made and started, what it can, and the conversation with it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use nearpath_tests::place::Folder;
use nearpath_tests::{Sandbox, mode};

/// Longer than any stub tries.
const PATIENCE: Duration = Duration::from_secs(60);

/// A stub resolver.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stub {
    /// Its column in the table.
    pub(super) name: &'static str,
    /// Programs that must be installed.
    needs: &'static [&'static str],
    /// What makes a program of its source; `SRC` and `OUT` stand for the folders.
    made: &'static [&'static str],
    /// What starts it.
    started: &'static [&'static str],
    /// For which names it walks the search list of resolv.conf.
    pub(super) searches: Searches,
    /// Can ask for services.
    pub(super) srv: bool,
    /// How it is told to ask over TCP alone.
    pub(super) tcp: Tcp,
    /// Asks again over TCP when a reply is cut short.
    pub(super) long: bool,
}

/// For which names a stub walks the search list of resolv.conf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Searches {
    /// For those with fewer dots than `ndots`.
    Ndots,
    /// For those of one label.
    OneLabel,
    /// For none: names are taken to be whole.
    Never,
}

/// How a stub is told to ask over TCP alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tcp {
    /// By `options use-vc` in resolv.conf.
    UseVc,
    /// By an argument of the test's program.
    Argument,
    /// Not at all.
    Cannot,
}

const GLIBC: Stub = Stub {
    name: "",
    needs: &[],
    made: &[],
    started: &[],
    searches: Searches::Ndots,
    srv: false,
    tcp: Tcp::UseVc,
    long: true,
};

/// All of them, in the order of the table.
pub(super) const ALL: &[Stub] = &[
    Stub { name: "glibc `getent`", needs: &["getent"], started: &["sh", "SRC/getent.sh"], ..GLIBC },
    Stub {
        name: "glibc `res_search`",
        needs: &["cc"],
        made: &["cc", "-o", "OUT/look-glibc", "SRC/look.c", "-lresolv"],
        started: &["OUT/look-glibc", "search"],
        srv: true,
        ..GLIBC
    },
    Stub {
        name: "musl",
        needs: &["musl-gcc"],
        made: &["musl-gcc", "-static", "-o", "OUT/look-musl", "SRC/look.c"],
        started: &["OUT/look-musl", "addrinfo"],
        tcp: Tcp::Cannot,
        long: false,
        ..GLIBC
    },
    Stub { name: "Python `socket`", needs: &["python3"], started: &["python3", "SRC/look_socket.py"], ..GLIBC },
    Stub {
        name: "dnspython",
        needs: &[DNSPYTHON],
        started: &["/usr/bin/python3", "SRC/look_dnspython.py"],
        srv: true,
        tcp: Tcp::Argument,
        ..GLIBC
    },
    Stub {
        name: "Go",
        needs: &["go"],
        made: &["go", "build", "-o", "OUT/look-go", "SRC/look.go"],
        started: &["OUT/look-go"],
        srv: true,
        ..GLIBC
    },
    Stub { name: "Node `lookup`", needs: &["node"], started: &["node", "SRC/look.js", "lookup"], ..GLIBC },
    Stub {
        name: "Node `resolve` (c-ares)",
        needs: &["node"],
        started: &["node", "SRC/look.js", "resolve"],
        searches: Searches::Never,
        srv: true,
        ..GLIBC
    },
    Stub {
        name: "Java `InetAddress`",
        needs: &["java", "javac"],
        made: &["javac", "-d", "OUT", "SRC/Look.java"],
        // without a memory of its own, a name can be looked up twice
        started: &[
            "java",
            "-Dsun.net.inetaddr.ttl=0",
            "-Dsun.net.inetaddr.negative.ttl=0",
            "-cp",
            "OUT",
            "Look",
            "inet",
        ],
        ..GLIBC
    },
    Stub {
        name: "Java JNDI",
        needs: &["java", "javac"],
        made: &["javac", "-d", "OUT", "SRC/Look.java"],
        started: &["java", "-cp", "OUT", "Look", "jndi"],
        searches: Searches::Never,
        srv: true,
        tcp: Tcp::Cannot,
        ..GLIBC
    },
    Stub {
        name: "busybox `nslookup`",
        needs: &["busybox"],
        started: &["sh", "SRC/busybox.sh"],
        searches: Searches::OneLabel,
        srv: true,
        tcp: Tcp::Cannot,
        long: false,
        ..GLIBC
    },
];

/// Stands for the module in [`Stub::needs`]: no program, but what a Debian package brings to the system's Python.
const DNSPYTHON: &str = "dnspython";

impl Stub {
    /// True if it walks the search list for a name.
    pub(super) fn searches_for(&self, name: &str) -> bool {
        match self.searches {
            Searches::Ndots => !name.ends_with('.'),
            Searches::OneLabel => !name.contains('.'),
            Searches::Never => false,
        }
    }

    /// Makes its program in a folder; false, and named as skipped, if something is not installed.
    #[track_caller]
    pub(super) fn is_made(&self, folder: &Folder) -> bool {
        if self.needs == [DNSPYTHON] {
            let has = Command::new("/usr/bin/python3").args(["-c", "import dns.resolver"]).output();
            if !has.is_ok_and(|output| output.status.success()) {
                mode::skip("node", "stub resolver dnspython: not installed (python3-dnspython)");
                return false;
            }
        } else if !mode::have(&format!("node, stub resolver {}", self.name), self.needs) {
            return false;
        }
        if let [program, words @ ..] = self.made {
            let mut command = mode::command(program);
            // Go: its own resolver, and nothing but what is installed
            command.envs([("CGO_ENABLED", "0"), ("GOTOOLCHAIN", "local"), ("GOPROXY", "off"), ("GOFLAGS", "")]);
            let output = command.args(words.iter().map(|word| placed(word, folder.path()))).output();
            let output = output.expect("an installed compiler starts");
            assert!(output.status.success(), "{}: {}", self.name, String::from_utf8_lossy(&output.stderr));
        }
        true
    }

    /// Starts it in a pod.
    #[track_caller]
    pub(super) fn start(&self, sandbox: &Sandbox, folder: &Folder, over_tcp: bool) -> Conversation {
        let mut words: Vec<String> = self.started.iter().map(|word| placed(word, folder.path())).collect();
        if over_tcp && self.tcp == Tcp::Argument {
            words.push("tcp".to_owned());
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut command = sandbox.command(&words);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("nsenter can be started");
        let input = child.stdin.take().expect("it is piped");
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        let (to, lines) = channel();
        // ends with the program
        std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| to.send(line)));
        let conversation = Conversation { child, input, lines };
        assert_eq!(conversation.says().as_deref(), Ok("ready"), "{} is started", self.name);
        conversation
    }
}

/// A word of a command line with the folders of sources and of programs in it.
fn placed(word: &str, out: &Path) -> String {
    let sources: PathBuf = mode::root().join("tests/stubs");
    match (word.strip_prefix("SRC/"), word.strip_prefix("OUT")) {
        (Some(file), _) => sources.join(file).display().to_string(),
        (None, Some(rest)) => format!("{}{rest}", out.display()),
        (None, None) => word.to_owned(),
    }
}

/// A stub at work; ends with its owner.
pub(super) struct Conversation {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
}

impl Conversation {
    fn says(&self) -> Result<String, RecvTimeoutError> {
        self.lines.recv_timeout(PATIENCE)
    }

    /// Looks a name up; what it found, each part as a set in order.
    #[track_caller]
    pub(super) fn looks_up(&mut self, kind: &str, name: &str) -> String {
        writeln!(self.input, "{kind} {name}").expect("the stub reads");
        let line = self.says().unwrap_or_else(|error| panic!("no word about {name} within {PATIENCE:?}: {error}"));
        let part = |part: &str| {
            let mut words: Vec<&str> = part.split_whitespace().collect();
            if let [_, found @ ..] = words.as_mut_slice() {
                found.sort_unstable();
            }
            words.dedup();
            words.join(" ")
        };
        line.split('|').map(part).collect::<Vec<_>>().join(" | ")
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
