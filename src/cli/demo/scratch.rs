//! A directory for the demo's files that goes when the demo ends.

use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// A directory of its own, readable by its owner alone; dropped, it is gone with what is in it.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    /// Makes `PREFIX-NUMBER` in the system's directory for such files.
    pub(super) fn make(prefix: &str) -> io::Result<Self> {
        const NUMBERS: u32 = 100;
        let parent = std::env::temp_dir();
        for number in 0..NUMBERS {
            let path = parent.join(format!("{prefix}-{}-{number}", std::process::id()));
            match std::fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {} // somebody else's
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// Writes a file and says where.
    pub(super) fn write(&self, name: &str, text: &str) -> io::Result<PathBuf> {
        let path = self.0.join(name);
        std::fs::write(&path, text)?;
        Ok(path)
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0); // somebody else has tidied up
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_directory_of_its_own_goes_with_its_files() {
        let (one, two) = (Scratch::make("nearpath-scratch").unwrap(), Scratch::make("nearpath-scratch").unwrap());
        assert_ne!(one.path(), two.path());
        let file = one.write("pods", "text").unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "text");
        assert_eq!(std::fs::metadata(one.path()).unwrap().permissions().mode() & 0o777, 0o700);
        let path = one.path().to_owned();
        drop(one);
        assert!(!path.exists() && two.path().exists());
    }
}
