//! The node's own resolv.conf as the kubelet reads it, which is not how a stub resolver reads it.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use contract::limits::NODE_FILE_MAX;

use super::options;

/// Where the host's searches come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// From this file.
    File(HostConf),
    /// The kubelet was told to use no file (`resolvConf: ""`): pods that would have the host's searches have `.` alone.
    NoFile,
    /// The file could not be read: nothing is known of pods that have the host's searches.
    Unknown,
}

/// What the kubelet takes from the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HostConf {
    /// Search domains in order, as text.
    pub(crate) search: Vec<String>,
    /// Options (`ndots:2`, `rotate`), each name once.
    pub(crate) options: Vec<String>,
}

/// Why the host's file says nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HostProblem {
    /// The system refused it.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is too large to be what it should be.
    #[error("larger than {NODE_FILE_MAX} octets")]
    TooLarge,
    /// The kubelet starts no pod with such a file, so pods that run had another one.
    #[error("line {line}: `nameserver` without an address, with which the kubelet starts no pod")]
    NoNameserver {
        /// From 1.
        line: usize,
    },
}

impl HostConf {
    /// Reads the file.
    pub(crate) fn read(path: &Path) -> Result<Self, HostProblem> {
        let text = read_bounded(path)?.ok_or(HostProblem::TooLarge)?;
        // an octet that is no text makes its domain one that no list is derived from
        Self::parse(&String::from_utf8_lossy(&text))
    }

    /// Reads the text: the last `search` line wins; `.` in it is dropped, one trailing dot stripped. `domain` means nothing.
    /// Of equally named options the last one wins, in whatever line. Keywords may be indented; `#` alone begins a comment.
    pub(crate) fn parse(text: &str) -> Result<Self, HostProblem> {
        let mut conf = Self::default();
        for (number, line) in text.split('\n').enumerate() {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") if words.next().is_none() => {
                    return Err(HostProblem::NoNameserver { line: number + 1 });
                }
                Some("search") => {
                    conf.search = words
                        .filter(|word| *word != ".")
                        .map(|word| word.strip_suffix('.').unwrap_or(word).to_owned())
                        .collect();
                }
                Some("options") => words.for_each(|option| options::set(&mut conf.options, option)),
                _ => {}
            }
        }
        Ok(conf)
    }
}

/// The octets of a small file; `None` if it is larger than such a file can be.
pub(super) fn read_bounded(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut octets = Vec::new();
    File::open(path)?.take(NODE_FILE_MAX as u64 + 1).read_to_end(&mut octets)?;
    Ok((octets.len() <= NODE_FILE_MAX).then_some(octets))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(text: &str) -> Vec<String> {
        HostConf::parse(text).unwrap().search
    }

    fn options(text: &str) -> Vec<String> {
        HostConf::parse(text).unwrap().options
    }

    #[test]
    fn the_last_search_line_wins() {
        assert_eq!(search("nameserver 192.0.2.1\nsearch a.example b.example\nsearch c.example\n"), ["c.example"]);
        assert_eq!(search("search a.example\nsearch\n"), [""; 0], "an empty one too");
        assert_eq!(search("search a.example\ndomain b.example\n"), ["a.example"], "`domain` means nothing");
        assert_eq!(search("domain b.example\n"), [""; 0]);
    }

    #[test]
    fn one_trailing_dot_is_stripped_and_the_root_dropped() {
        assert_eq!(
            search("search a.example. . b.example.. .. C.Example\n"),
            ["a.example", "b.example.", ".", "C.Example"]
        );
    }

    #[test]
    fn lines_are_read_as_words() {
        assert_eq!(search("  search\ta.example \u{a0} b.example\r\n"), ["a.example", "b.example"]);
        assert_eq!(search("#search a\n # search b\n;search c\nsearches d\nSearch e"), [""; 0]);
        assert_eq!(search("search a #b"), ["a", "#b"], "no comment behind a keyword");
    }

    #[test]
    fn options_gather_by_name() {
        assert_eq!(options("options ndots:2 rotate\noptions timeout:1 ndots:3\n"), ["rotate", "timeout:1", "ndots:3"]);
        assert_eq!(options("options ndots:2 ndots ndots:4:5\n"), ["ndots:4:5"], "the name ends at the first colon");
        assert_eq!(options("options\n"), [""; 0]);
    }

    #[test]
    fn a_file_that_starts_no_pod() {
        let problem = HostConf::parse("search a\n nameserver\t\n").unwrap_err();
        assert!(problem.to_string().starts_with("line 2: "), "{problem}");
        assert!(HostConf::parse("nameserver junk\n").is_ok(), "its address is not looked at");
    }

    #[test]
    fn a_file_is_read_up_to_a_bound() {
        let path = std::env::temp_dir().join(format!("nearpath-host-{}", std::process::id()));
        std::fs::write(&path, b"search a.example \xff.example\n").unwrap();
        assert_eq!(HostConf::read(&path).unwrap().search, ["a.example", "\u{fffd}.example"]);
        std::fs::write(&path, "#".repeat(NODE_FILE_MAX)).unwrap();
        assert_eq!(HostConf::read(&path).unwrap(), HostConf::default());
        std::fs::write(&path, "#".repeat(NODE_FILE_MAX + 1)).unwrap();
        assert!(matches!(HostConf::read(&path), Err(HostProblem::TooLarge)));
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(HostConf::read(&path), Err(HostProblem::Io(_))));
    }
}
