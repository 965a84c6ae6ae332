//! Search domains whose cut is off because the centre contradicted it, kept over restarts where there is a folder for that.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use contract::Context;
use contract::limits::{CUTS_OFF_FILE_MAX, CUTS_OFF_MAX};
use contract::metrics::Gauge;
use contract::wire::Name;

/// The file's name in that folder.
const FILE: &str = "autopath-cut-off";

/// The domains.
#[derive(Debug)]
pub(crate) struct Off {
    domains: Mutex<BTreeSet<Name>>,
    path: Option<PathBuf>,
    gauge: Arc<Gauge>,
}

impl Off {
    /// What the folder says; a file that cannot be read is told once, and then the cut is on for all.
    pub(crate) fn load(context: &Context) -> Self {
        let gauge = context.metrics.gauge(
            "nearpath_autopath_cut_off",
            "Search domains whose NXDOMAIN cut was contradicted.",
            &[("server", &context.server)],
        );
        let path = context.state_dir.as_deref().map(|folder| folder.join(FILE));
        let domains = path.as_deref().map(read).unwrap_or_else(|| Ok(BTreeSet::new())).unwrap_or_else(|reason| {
            let path = path.as_deref().unwrap_or(Path::new(FILE)).display();
            tracing::warn!(
                "autopath: {path} cannot be used, so the NXDOMAIN cut is on for all search domains: {reason}"
            );
            BTreeSet::new()
        });
        let this = Self { domains: Mutex::new(domains), path, gauge };
        this.publish(&this.domains());
        this
    }

    /// True if the cut is off below this domain.
    pub(crate) fn has(&self, domain: &Name) -> bool {
        let domains = self.domains();
        domains.len() >= CUTS_OFF_MAX || domains.contains(domain)
    }

    /// Turns the cut off. False if it was off before.
    pub(crate) fn add(&self, domain: &Name) -> bool {
        let mut domains = self.domains();
        let new = domains.len() < CUTS_OFF_MAX && domains.insert(domain.clone());
        self.publish(&domains);
        new
    }

    /// Where it is kept.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Writes all of it, and what others have written meanwhile: a file that cannot be read now is left as it is, only a
    /// damaged one is replaced. Waits for the disk.
    pub(crate) fn save(&self) -> io::Result<()> {
        /// One writer at a time: another block may turn a cut off at the same moment, and both add to one file.
        static WRITER: Mutex<()> = Mutex::new(());
        let Some(path) = &self.path else { return Ok(()) };
        let _writer = WRITER.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = match read(path) {
            Err(error) if error.kind() == io::ErrorKind::InvalidData => BTreeSet::new(),
            read => read?,
        };
        all.extend(self.domains().iter().cloned());
        let text = all.iter().take(CUTS_OFF_MAX).fold(String::new(), |mut text, domain| {
            let _ = writeln!(text, "{domain}"); // a String takes everything
            text
        });
        let beside = path.with_extension("new");
        let mut file = File::create(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, path)
    }

    fn domains(&self) -> MutexGuard<'_, BTreeSet<Name>> {
        self.domains.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish(&self, domains: &BTreeSet<Name>) {
        self.gauge.set(i64::try_from(domains.len()).unwrap_or(i64::MAX));
    }
}

/// The domains in a file; none if there is no file. A damaged one is `InvalidData`.
fn read(path: &Path) -> io::Result<BTreeSet<Name>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) => return Err(error),
    };
    let mut text = String::new();
    let limit = u64::try_from(CUTS_OFF_FILE_MAX).unwrap_or(u64::MAX);
    if file.take(limit + 1).read_to_string(&mut text)? > CUTS_OFF_FILE_MAX {
        return Err(damaged(format!("larger than {CUTS_OFF_FILE_MAX} octets")));
    }
    let domain = |(number, line): (usize, &str)| {
        let name = if line.is_empty() { None } else { Name::parse(line).ok() };
        name.ok_or_else(|| damaged(format!("line {} is no search domain", number + 1)))
    };
    text.lines().enumerate().map(domain).collect()
}

fn damaged(how: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, how)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("autopath-off-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn context(folder: Option<&Folder>) -> Context {
        crate::context_for_tests(folder.map(|folder| folder.0.clone()))
    }

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[test]
    fn it_is_kept_and_two_blocks_add_to_one_file() {
        let folder = Folder::new("kept");
        let context = context(Some(&folder));
        let load = || Off::load(&context);
        let (one, other) = (load(), load());
        assert!(!one.has(&name("d.e")) && one.add(&name("d.e")) && !one.add(&name("d.e")));
        one.save().unwrap();
        assert!(other.add(&name("svc.d.e")));
        other.save().unwrap();
        let later = load();
        assert!(later.has(&name("d.e")) && later.has(&name("svc.d.e")) && !later.has(&name("shop.svc.d.e")));
        let text = context.metrics.text();
        assert!(text.contains("nearpath_autopath_cut_off{server=\"dns://d.e.:53\"} 2\n"), "{text}");
        let text = fs::read_to_string(folder.0.join(FILE)).unwrap();
        assert_eq!(text.lines().count(), 2);
        assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1, "nothing is left beside it");
        fs::remove_file(folder.0.join(FILE)).unwrap();
        assert!(!load().has(&name("d.e")), "on again without the file");
    }

    #[test]
    fn a_damaged_file_leaves_the_cut_on() {
        let folder = Folder::new("damaged");
        for damage in [b"d.e.\n\xff\xfe\n".to_vec(), b"d.e.\n\nx.\n".to_vec(), vec![b'a'; CUTS_OFF_FILE_MAX + 1]] {
            fs::write(folder.0.join(FILE), &damage).unwrap();
            let off = Off::load(&context(Some(&folder)));
            assert!(!off.has(&name("d.e")));
            // and what is found from now on is kept
            assert!(off.add(&name("svc.d.e")));
            off.save().unwrap();
            assert!(Off::load(&context(Some(&folder))).has(&name("svc.d.e")));
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_not_replaced() {
        let folder = Folder::new("unreadable");
        let path = folder.0.join(FILE);
        std::os::unix::fs::symlink(&path, &path).unwrap(); // a loop
        let off = Off::load(&context(Some(&folder)));
        assert!(off.add(&name("d.e")));
        off.save().unwrap_err();
        assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
        fs::remove_file(&path).unwrap();
        fs::write(&path, "svc.d.e.\n").unwrap(); // readable again, with what another one wrote
        off.save().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2);
    }

    #[test]
    fn without_a_folder_it_is_known_until_the_end() {
        let off = Off::load(&context(None));
        assert!(off.add(&name("d.e")) && off.has(&name("d.e")));
        off.save().unwrap();
    }

    #[test]
    fn beyond_the_bound_it_is_off_for_all() {
        let off = Off::load(&context(None));
        for number in 0..CUTS_OFF_MAX {
            assert!(off.add(&name(&format!("n{number}.e"))));
        }
        assert!(off.has(&name("other.e")) && !off.add(&name("other.e")));
    }
}
