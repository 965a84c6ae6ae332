//! Where files and environment variables come from: passed in, so that reading a configuration is the same code in
//! the daemon, in a check without side effects, and in a test.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Directory entries that a pattern is held against; a folder with more is not one of imported files.
const DIRECTORY_ENTRIES_MAX: usize = 10_000;

/// What the parser needs of the machine.
pub trait Host {
    /// The text of a file. An error for a folder.
    fn read(&self, path: &Path) -> io::Result<String>;

    /// The existing files that a pattern means, sorted by name. `*` and `?` do not match `/`; no other wildcard.
    fn glob(&self, pattern: &str) -> io::Result<Vec<PathBuf>>;

    /// The value of an environment variable.
    fn variable(&self, name: &str) -> Option<String>;
}

/// The real one: the file system and the process's environment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Host for Disk {
    fn read(&self, path: &Path) -> io::Result<String> {
        use std::io::Read as _;
        let limit = u64::try_from(crate::parser::FILE_BYTES_MAX).unwrap_or(u64::MAX) + 1;
        let mut text = String::new();
        std::fs::File::open(path)?.take(limit).read_to_string(&mut text)?;
        Ok(text)
    }

    fn glob(&self, pattern: &str) -> io::Result<Vec<PathBuf>> {
        let mut found = vec![PathBuf::new()];
        for part in Path::new(pattern).components() {
            let part = part.as_os_str().to_string_lossy();
            found = if part.contains(['*', '?']) { entries(&found, &part)? } else { joined(found, &part) };
        }
        found.retain(|path| path.is_file());
        found.sort();
        Ok(found)
    }

    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}

fn joined(mut folders: Vec<PathBuf>, part: &str) -> Vec<PathBuf> {
    folders.iter_mut().for_each(|folder| folder.push(part));
    folders
}

/// The entries of the folders that match the pattern.
fn entries(folders: &[PathBuf], pattern: &str) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for folder in folders {
        let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let Ok(listing) = std::fs::read_dir(here) else {
            continue;
        };
        for entry in listing.take(DIRECTORY_ENTRIES_MAX) {
            let name = entry?.file_name();
            if matches(pattern, &name.to_string_lossy()) {
                found.push(folder.join(name));
            }
        }
    }
    Ok(found)
}

/// Files and variables in memory: for tests, and for a configuration that was never written to a disk.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    files: BTreeMap<PathBuf, String>,
    variables: BTreeMap<String, String>,
}

impl Memory {
    /// Without files and variables.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With one file more.
    #[must_use]
    pub fn file(mut self, path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        self.files.insert(path.into(), text.into());
        self
    }

    /// With one variable more.
    #[must_use]
    pub fn with_variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }
}

impl Host for Memory {
    fn read(&self, path: &Path) -> io::Result<String> {
        self.files.get(path).cloned().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    fn glob(&self, pattern: &str) -> io::Result<Vec<PathBuf>> {
        let parts: Vec<&str> = pattern.split('/').collect();
        let all = self.files.keys().filter(|path| {
            let path = path.to_string_lossy();
            let names: Vec<&str> = path.split('/').collect();
            names.len() == parts.len() && parts.iter().zip(names).all(|(part, name)| matches(part, name))
        });
        Ok(all.cloned().collect())
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }
}

/// Whether a name fits a pattern in which `*` is any text and `?` any character. A leading dot fits a wildcard, as in Go.
fn matches(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    let (mut at, mut in_name) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while in_name < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, in_name));
                at += 1;
            }
            Some(c) if *c == '?' || *c == name[in_name] => {
                at += 1;
                in_name += 1;
            }
            _ => {
                let Some((behind, from)) = star else {
                    return false;
                };
                star = Some((behind, from + 1));
                at = behind + 1;
                in_name = from + 1;
            }
        }
    }
    pattern[at..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards() {
        for (pattern, name) in [("*", "a"), ("*.conf", "a.conf"), ("a?c", "abc"), ("a*c*e", "abcde"), ("*", ".hidden")]
        {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("*.conf", "a.con"), ("a?c", "ac"), ("a", "ab"), ("", "a")] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn the_disk_finds_files_by_pattern() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let found = Disk.glob(&here.join("src/h*t.rs").to_string_lossy()).unwrap();
        assert_eq!(found, [here.join("src/host.rs")]);
        assert!(Disk.glob(&here.join("none/*.rs").to_string_lossy()).unwrap().is_empty());
        assert!(Disk.glob(&here.join("none").to_string_lossy()).unwrap().is_empty());
        assert!(Disk.read(here).is_err());
    }
}
