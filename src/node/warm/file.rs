//! The file: read whole within its bound, written so that a reader sees the old one or the new one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use contract::limits::WARM_OCTETS_MAX;

/// What a head adds to what is kept, octets.
const HEAD_MAX: usize = 64;
/// A file under the name of the next one that is older than this was left behind by a process that ended while it wrote.
const ABANDONED_AFTER: Duration = Duration::from_secs(60);

/// Where it is.
pub(super) fn path(folder: &Path) -> PathBuf {
    folder.join("warm")
}

/// What it holds; `None` if there is none.
pub(super) fn read(folder: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path(folder)) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut octets = Vec::new();
    let bound = WARM_OCTETS_MAX + HEAD_MAX;
    file.take(bound as u64 + 1).read_to_end(&mut octets)?;
    match octets.len() > bound {
        true => Err(io::Error::new(ErrorKind::FileTooLarge, "the file is too large")),
        false => Ok(Some(octets)),
    }
}

/// Puts another one in its place. Two processes that share the folder do not write at the same time: the second leaves it to
/// the first.
pub(super) fn write(folder: &Path, octets: &[u8]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let next = folder.join("warm.new");
    let mut file = match create(&next) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && is_abandoned(&next) => {
            fs::remove_file(&next)?;
            create(&next)?
        }
        created => created?,
    };
    let written = file.write_all(octets).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&next, path(folder)));
    if written.is_err() {
        let _ = fs::remove_file(&next); // half of one is of no use to anybody
    }
    written?;
    File::open(folder)?.sync_all() // the name is on the disk too
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

fn is_abandoned(path: &Path) -> bool {
    let age = fs::metadata(path).and_then(|meta| meta.modified()).map(|modified| modified.elapsed());
    // one from the future is as good as none
    age.is_ok_and(|age| age.map_or(true, |age| age > ABANDONED_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_replaced_whole_and_a_large_one_is_not_read() {
        let folder = std::env::temp_dir().join(format!("nearpath-warm-{}", std::process::id()));
        assert_eq!(read(&folder).unwrap(), None);
        write(&folder, b"one").unwrap();
        write(&folder, b"two").unwrap();
        assert_eq!(read(&folder).unwrap().as_deref(), Some(&b"two"[..]));
        fs::write(folder.join("warm.new"), b"of somebody who writes at this moment").unwrap();
        assert_eq!(write(&folder, b"three").unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(read(&folder).unwrap().as_deref(), Some(&b"two"[..]));
        let left_behind = std::time::SystemTime::now() - 2 * ABANDONED_AFTER;
        File::options().append(true).open(folder.join("warm.new")).unwrap().set_modified(left_behind).unwrap();
        write(&folder, b"three").unwrap();
        assert_eq!(read(&folder).unwrap().as_deref(), Some(&b"three"[..]));
        fs::write(path(&folder), vec![0; WARM_OCTETS_MAX + HEAD_MAX + 1]).unwrap();
        assert_eq!(read(&folder).unwrap_err().kind(), ErrorKind::FileTooLarge);
        fs::remove_dir_all(&folder).unwrap();
    }
}
