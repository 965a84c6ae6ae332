//! On what a run was made, for the head of its results.

use std::path::Path;
use std::process::Command;

use serde::Serialize;

/// A machine and a day.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    /// UTC.
    pub(crate) date: String,
    pub(crate) processor: String,
    pub(crate) cores: usize,
    /// GiB.
    pub(crate) memory: f64,
    pub(crate) kernel: String,
}

impl Machine {
    /// This one, now.
    pub(crate) fn this() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let field = |text: &str, key: &str| {
            let line = text.lines().find(|line| line.starts_with(key)).unwrap_or_default();
            line.split_once(':').map_or_else(String::new, |(_, value)| value.trim().to_owned())
        };
        let kilobytes = field(&read("/proc/meminfo"), "MemTotal").trim_end_matches(" kB").parse().unwrap_or(0.0);
        Self {
            date: first_line(Path::new("date"), &["-u", "+%Y-%m-%d"]).unwrap_or_default(),
            processor: field(&read("/proc/cpuinfo"), "model name"),
            cores: read("/proc/cpuinfo").lines().filter(|line| line.starts_with("processor")).count(),
            memory: kilobytes / f64::from(1 << 20),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        }
    }
}

/// The first line that a program says, on stdout or else on stderr, that holds a digit: where programs tell their version.
pub(crate) fn first_line(program: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let texts = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    let has_digit = |line: &&str| line.contains(|letter: char| letter.is_ascii_digit());
    texts.iter().flat_map(|text| text.lines()).find(has_digit).map(|line| line.trim().to_owned())
}
