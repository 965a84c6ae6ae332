//! The running daemon as /proc shows it: its process, and what it was told.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::super::{ServeFlags, flags_of};

/// Octets of a command line or an environment that are read.
const WORDS_MAX: usize = 256 << 10;

/// A daemon in this network.
#[derive(Debug)]
pub(super) struct Process {
    /// Its number, as seen from here.
    pub(super) pid: u32,
    /// Its command line, the program's own name first.
    words: Vec<OsString>,
    /// Its environment, as far as it may be read.
    environment: Vec<(OsString, OsString)>,
    /// Where relative paths of it begin.
    folder: PathBuf,
}

impl Process {
    /// What it was told, with more words behind its own, which win.
    pub(super) fn told(&self, more: &[OsString]) -> Option<ServeFlags> {
        let variable = |name: &OsStr| {
            let found = self.environment.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.clone())
        };
        let words: Vec<OsString> = self.words.iter().chain(more).cloned().collect();
        flags_of(&words, &variable)
    }

    /// True if that is the folder of its state, by whatever path it is named.
    pub(super) fn keeps_state_in(&self, folder: &Path) -> bool {
        let number = |path: &Path| fs::metadata(path).ok().map(|found| (found.dev(), found.ino()));
        let own = self.told(&[]).and_then(|told| told.statedir).map(|named| self.path(&named));
        own.is_some_and(|own| own == folder || number(&own).is_some_and(|own| Some(own) == number(folder)))
    }

    /// A file that it names, as we can open it: seen from its folder, or out of its container.
    pub(super) fn path(&self, named: &Path) -> PathBuf {
        let absolute = self.folder.join(named);
        let inside = Path::new("/proc").join(self.pid.to_string()).join("root");
        match absolute.strip_prefix("/") {
            Ok(below) if !absolute.exists() => inside.join(below),
            _ => absolute,
        }
    }
}

/// Every process that serves in our network, by number. One that may not be looked at is none.
pub(super) fn daemons() -> Vec<Process> {
    let own = fs::read_link("/proc/self/ns/net").ok();
    let numbers = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut pids: Vec<u32> = numbers.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    pids.sort_unstable();
    let here = |pid: &u32| is_ours(*pid) && fs::read_link(format!("/proc/{pid}/ns/net")).ok() == own;
    let process = |pid: u32| {
        let folder = Path::new("/proc").join(pid.to_string());
        let process = Process {
            pid,
            words: words(&read(&folder.join("cmdline"))),
            environment: variables(&read(&folder.join("environ"))),
            folder: fs::read_link(folder.join("cwd")).unwrap_or_else(|_| "/".into()),
        };
        process.told(&[]).is_some().then_some(process)
    };
    pids.into_iter().filter(here).filter_map(process).collect()
}

/// True if it runs a program of our name.
fn is_ours(pid: u32) -> bool {
    let called =
        |name: &str| fs::read(format!("/proc/{pid}/{name}")).is_ok_and(|text| text.trim_ascii() == b"nearpath");
    let runs =
        || fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|path| path.file_name() == Some("nearpath".as_ref()));
    called("comm") || runs()
}

fn read(path: &Path) -> Vec<u8> {
    let mut octets = fs::read(path).unwrap_or_default();
    octets.truncate(WORDS_MAX);
    octets
}

/// The words of a command line, each ended by a zero (proc(5)).
fn words(octets: &[u8]) -> Vec<OsString> {
    let body = octets.strip_suffix(&[0]).unwrap_or(octets);
    if body.is_empty() {
        return Vec::new();
    }
    body.split(|octet| *octet == 0).map(|word| OsString::from_vec(word.to_vec())).collect()
}

/// The variables of an environment.
fn variables(octets: &[u8]) -> Vec<(OsString, OsString)> {
    let variable = |word: OsString| {
        let octets = word.as_bytes();
        let at = octets.iter().position(|octet| *octet == b'=')?;
        Some((OsStr::from_bytes(&octets[..at]).to_owned(), OsStr::from_bytes(&octets[at + 1..]).to_owned()))
    };
    words(octets).into_iter().filter_map(variable).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A daemon whose relative paths begin in `/srv`.
    pub(in super::super) fn process(words: &[&str], environment: &[(&str, &str)]) -> Process {
        Process {
            pid: 1,
            words: words.iter().map(OsString::from).collect(),
            environment: environment.iter().map(|(name, value)| (name.into(), value.into())).collect(),
            folder: "/srv".into(),
        }
    }

    #[test]
    fn words_end_with_zeros() {
        assert_eq!(words(b"a\0-b\0\0"), ["a", "-b", ""]);
        assert!(words(b"").is_empty());
        assert_eq!(variables(b"A=b=c\0D\0"), [("A".into(), "b=c".into())]);
    }

    #[test]
    fn what_a_daemon_was_told_is_read_of_its_words_and_variables() {
        let daemon = process(&["/nearpath", "-conf", "x", "-localip=10.0.0.1"], &[("NEARPATH_DNS_PORT", "5353")]);
        let told = daemon.told(&[]).unwrap();
        assert_eq!((told.conf.unwrap().to_str().unwrap(), told.port), ("x", 5353));
        let told = daemon.told(&["--localip=10.0.0.2".into(), "--dns.port=53".into()]).unwrap();
        assert_eq!(told.node.localip.unwrap().0, ["10.0.0.2".parse::<std::net::IpAddr>().unwrap()]);
        assert_eq!(told.port, 53);
    }

    #[test]
    fn other_subcommands_are_no_daemons() {
        for words in [&["nearpath", "doctor"][..], &["nearpath", "-no-such-flag"], &["nearpath", "check", "x"]] {
            assert!(process(words, &[]).told(&[]).is_none(), "{words:?}");
        }
    }

    #[test]
    fn a_state_folder_is_known_by_whatever_path() {
        let keeps = |words: &[&str], environment: &[(&str, &str)], folder: &str| {
            process(&[&["nearpath", "-conf", "x"], words].concat(), environment).keeps_state_in(Path::new(folder))
        };
        assert!(keeps(&["-statedir=/proc/../proc/sys"], &[], "/proc/sys"));
        assert!(keeps(&[], &[("NEARPATH_STATEDIR", "/proc/sys/")], "/proc/../proc/sys"));
        assert!(keeps(&["-statedir", "gone"], &[], "/proc/1/root/srv/gone"), "a folder that is not there has its path");
        assert!(!keeps(&["-statedir=/proc/sys"], &[], "/proc") && !keeps(&[], &[], "/proc"));
    }

    #[test]
    fn paths_begin_in_the_daemons_folder() {
        assert_eq!(process(&[], &[]).path(Path::new("/proc/self/stat")), Path::new("/proc/self/stat"));
        assert_eq!(process(&[], &[]).path(Path::new("no-such")), Path::new("/proc/1/root/srv/no-such"));
    }
}
