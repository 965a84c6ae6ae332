//! `state folder`: what is to be known after a restart can be written.

use std::path::Path;

use super::super::patient::Patient;
use super::super::verdict::Finding;

/// Writes a file and removes it.
pub(in super::super) async fn check(patient: &Patient) -> Finding {
    match patient.options.as_ref().and_then(|options| options.state_dir.as_deref()) {
        Some(folder) => judge(folder),
        None => Finding::skip("no -statedir: nothing is kept over a restart"),
    }
}

fn judge(folder: &Path) -> Finding {
    let file = folder.join(format!(".doctor-{}", std::process::id()));
    let written = std::fs::OpenOptions::new().write(true).create_new(true).open(&file);
    match written.and_then(|_| std::fs::remove_file(&file)) {
        Ok(()) => Finding::ok(format!("{} can be written", folder.display())),
        Err(error) => Finding::fail(
            format!("{} cannot be written: {error}", folder.display()),
            format!("mkdir -p {}; df -h {0}; mount it writable into the pod", folder.display()),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::verdict::State;
    use super::*;

    #[test]
    fn a_folder_is_left_as_it_was() {
        let folder = std::env::temp_dir();
        assert_eq!(judge(&folder).state, State::Ok);
        assert!(!folder.join(format!(".doctor-{}", std::process::id())).exists());
        assert_eq!(judge(Path::new("/proc/no-such-folder")).state, State::Fail);
    }
}
