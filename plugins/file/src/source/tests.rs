//! What a look at a zone file reads, and what it makes of it.

use super::*;

/// A folder of its own, removed at the end.
struct Folder {
    path: PathBuf,
    written: std::cell::Cell<u64>,
}

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("file-look-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self { path, written: std::cell::Cell::new(1) }
    }

    /// Each writing has a time of its own, whatever the file system's clock does.
    fn write(&self, name: &str, text: &str) {
        let path = self.path.join(name);
        std::fs::write(&path, text).unwrap();
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(self.written.get())).unwrap();
        self.written.set(self.written.get() + 1);
    }

    fn zone(&self, by_mtime: bool) -> Arc<ZoneFile> {
        let origin: Name = "example.org".parse().unwrap();
        let zones = vec![origin.clone()];
        let spec = ZoneSpec { file: self.path.join("db"), zones, reload: Some(Duration::from_secs(1)), by_mtime };
        ZoneFile::open(&spec, &origin, &contract::testing::context()).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// So many looks, and how many of them failed.
fn looks<const N: usize>(zone: &ZoneFile) -> ([Look; N], u64) {
    let before = zone.failures.value();
    let looks = std::array::from_fn(|_| zone.look());
    (looks, zone.failures.value() - before)
}

use Look::{New, Same, Untouched};

fn soa(serial: u32) -> String {
    format!("$TTL 5\n@ SOA a b {serial} 1 1 1 1\n")
}

#[test]
fn a_file_at_rest_is_not_read_again() {
    let folder = Folder::new("rest");
    folder.write("db", &soa(1));
    let zone = folder.zone(false);
    assert_eq!(looks(&zone), ([Same, Untouched, Untouched], 0), "it may have been written just before it was opened");
    folder.write("db", &soa(2));
    assert_eq!(looks(&zone), ([New, Same, Untouched], 0), "of the same length");
    let moved = folder.path.join("moved");
    std::fs::rename(folder.path.join("db"), &moved).unwrap();
    assert_eq!(looks(&zone), ([Same, Same], 2));
    std::fs::rename(moved, folder.path.join("db")).unwrap();
    assert_eq!(looks(&zone), ([Same], 0), "read, although it is as it was");
    assert!(zone.seen.lock().unwrap().trouble.is_none());
}

#[test]
fn a_known_serial_ends_the_reading() {
    let folder = Folder::new("serial");
    folder.write("db", &soa(1));
    let zone = folder.zone(false);
    folder.write("db", &(soa(1) + "x A 192.0.2\n"));
    assert_eq!(looks(&zone), ([Same, Same, Untouched], 0), "the mistake is behind it");
    folder.write("db", &(soa(2) + "x A 192.0.2\n"));
    assert_eq!(looks(&zone), ([Same, Same, Untouched], 3), "wrong at each look, read or not");
    folder.write("db", &(soa(3) + &soa(1)));
    assert_eq!(looks(&zone), ([Same], 0), "the last SOA counts");
    folder.write("db", &(soa(3) + "x A 192.0.2.1\n"));
    assert_eq!(looks(&zone), ([New], 0));
    let zone = folder.zone(true);
    folder.write("db", &(soa(3) + "x A 192.0.2.2\n"));
    assert_eq!(looks(&zone), ([New, Same], 0), "its time of modification decides");
}

#[test]
fn included_files_are_looked_at_as_well() {
    let folder = Folder::new("include");
    folder.write("db", "$INCLUDE soa\n$INCLUDE hosts\n");
    folder.write("soa", &soa(1));
    folder.write("hosts", "x A 192.0.2.1\n");
    let zone = folder.zone(false);
    assert_eq!(looks(&zone), ([Same, Untouched], 0));
    folder.write("soa", &soa(2));
    assert_eq!(looks(&zone), ([New, Same, Untouched], 0));
    folder.write("soa", &soa(3));
    std::fs::remove_file(folder.path.join("hosts")).unwrap();
    assert_eq!(looks(&zone), ([Same, Same, Same], 3), "it may be there the next time");
    folder.write("hosts", "x A 192.0.2.3\n");
    assert_eq!(looks(&zone), ([New], 0));
}
