//! The two servers of a fragment: the real CoreDNS and nearpath, each at an address, a port and a folder of its own, before the
//! same upstreams.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nearpath_tests::certificate::Authority;
use nearpath_tests::daemon::{self, fill};
use nearpath_tests::place::{self, Folder};
use nearpath_tests::program::Program;

use super::erring::Erring;
use super::fragment::Fragment;
use super::upstreams::Knot;

/// How long a server may take to start, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The real CoreDNS.
    CoreDns,
    /// Ours.
    Nearpath,
}

/// A server at work.
#[derive(Debug)]
pub(crate) struct Server {
    kind: Kind,
    program: Program,
    folder: Folder,
    words: Vec<(String, String)>,
    _upstreams: Vec<Erring>,
    /// Where it serves.
    pub address: SocketAddr,
}

/// CoreDNS's binary: `NEARPATH_COREDNS`, or that of the control plane.
pub(crate) fn coredns() -> Option<PathBuf> {
    let named = std::env::var_os("NEARPATH_COREDNS").map(PathBuf::from);
    let built = std::env::var_os("NEARPATH_CONTROLPLANE").map(|folder| PathBuf::from(folder).join("coredns"));
    named.or(built).filter(|path| path.is_file())
}

/// What upstreams do that do the same for every name.
const ALWAYS: [(&str, &str); 5] = [
    ("{silent}", "silent"),
    ("{refusing}", "refused"),
    ("{servfailing}", "servfail"),
    ("{lame}", "lame"),
    ("{tardy}", "slow1200"),
];

impl Server {
    /// Starts one of both and waits until it serves; what it said if it does not.
    pub(crate) fn start(kind: Kind, fragment: &Fragment, knot: &Knot) -> Result<Self, String> {
        let place = place::socket_everywhere();
        let address = SocketAddr::new(fragment.at.unwrap_or(place.ip()), place.port());
        let folder = Folder::new();
        let mut upstreams = Vec::new();
        let mut words = vec![
            ("{ip}".to_owned(), address.ip().to_string()),
            ("{own}".to_owned(), place.ip().to_string()),
            ("{port}".to_owned(), address.port().to_string()),
            ("{folder}".to_owned(), folder.path().display().to_string()),
            ("{knot}".to_owned(), knot.address.to_string()),
            ("{knotip}".to_owned(), knot.address.ip().to_string()),
            ("{dead}".to_owned(), place::socket().to_string()),
        ];
        let mut needs = |word: &str, always| {
            if fragment.corefile.contains(word) {
                let upstream = Erring::start(always);
                words.push((word.to_owned(), upstream.address.to_string()));
                upstreams.push(upstream);
            }
        };
        ALWAYS.iter().for_each(|(word, always)| needs(word, Some(always)));
        needs("{erring}", None);
        for (name, text) in &fragment.files {
            folder.write(name, &fill(text, &words));
        }
        if fragment.corefile.contains("cert.pem") {
            let signed = Authority::new().signs("localhost", address.ip(), 2100);
            folder.write("cert.pem", &signed.certificate);
            folder.write("key.pem", &signed.key);
        }
        let path = folder.write("Corefile", &fill(&fragment.corefile, &words)).display().to_string();
        let (binary, flags) = match kind {
            Kind::CoreDns => (coredns().expect("it was looked for"), vec!["-conf".to_owned(), path]),
            Kind::Nearpath => (daemon::binary(), vec!["-conf".to_owned(), path]),
        };
        let log = folder.file("log");
        let program = Program::start(&binary, &flags, &[("NO_COLOR", "1")], &log);
        let mut server = Self { kind, program, folder, words, _upstreams: upstreams, address };
        server.wait()?;
        Ok(server)
    }

    fn wait(&mut self) -> Result<(), String> {
        let sign = if self.kind == Kind::CoreDns { "CoreDNS-1." } else { "serving" };
        let deadline = Instant::now() + PATIENCE;
        loop {
            let log = std::fs::read(self.folder.file("log")).unwrap_or_default();
            if String::from_utf8_lossy(&log).contains(sign) {
                return Ok(());
            }
            if self.program.ended().is_some() || Instant::now() > deadline {
                return Err(format!("{:?} does not start:\n{}", self.kind, self.program.last_words()));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Puts another text into one of its files.
    pub(crate) fn write(&self, name: &str, text: &str) {
        self.folder.write(name, &fill(text, &self.words));
    }

    /// The last lines that it said, if it has ended.
    pub(crate) fn ended(&mut self) -> Option<String> {
        self.program
            .ended()
            .map(|status| format!("{:?} ended with {status}:\n{}", self.kind, self.program.last_words()))
    }

    /// Its page of metrics, with placeholders where addresses and folders of its own stand.
    pub(crate) fn metrics(&self) -> String {
        let own = &self.words.iter().find(|(word, _)| word == "{own}").expect("always there").1;
        let page = page(&format!("{own}:9153"));
        let back: Vec<_> = self.words.iter().map(|(word, text)| (text.clone(), word.clone())).collect();
        fill(&page, &back)
    }
}

/// A page of metrics by HTTP/1.0, so that it comes in one piece.
fn page(address: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("the fragment serves metrics there");
    stream.set_read_timeout(Some(PATIENCE)).expect("a wait above zero");
    stream.write_all(b"GET /metrics HTTP/1.0\r\nAccept: text/plain\r\n\r\n").expect("the server reads");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("the server answers in UTF-8 and closes");
    text
}
