//! Tells that files may have changed: inotify on their folders, because a mounted ConfigMap changes by a link that is put
//! in the place of another one, and not in the file.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};
use tokio::sync::watch;

/// A change comes as several events: they are one after so much quiet.
const QUIET: Duration = Duration::from_millis(100);

/// The longest wait for quiet.
const BUSY_FOR: Duration = Duration::from_secs(2);
/// How often it is seen whether a folder is still the same: one that was made anew is another one to the kernel.
const FOLDERS_EVERY: Duration = Duration::from_secs(10);

/// Changes in some folders. Dropped, nobody listens any longer.
pub struct Changes {
    /// How often something came.
    seen: watch::Receiver<u64>,
    end: Arc<EventFd>,
}

impl Changes {
    /// Listens in these folders, in a thread of its own; one that is not there is told, and listened to when it is.
    ///
    /// # Errors
    /// The system has no more inotify instances (`fs.inotify.max_user_instances`) or threads.
    pub fn in_folders(folders: &[PathBuf]) -> io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
        let mut watched = Watched { inotify, folders: folders.to_vec(), seen: BTreeMap::new() };
        watched.look();
        for folder in folders.iter().filter(|folder| !watched.seen.contains_key(*folder)) {
            tracing::warn!(
                "{} is not there; what comes there is noticed within {} s",
                folder.display(),
                FOLDERS_EVERY.as_secs()
            );
        }
        let end = Arc::new(EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?);
        let (sender, seen) = watch::channel(0);
        let ended = Arc::clone(&end);
        std::thread::Builder::new().name("nearpath-files".to_owned()).spawn(move || {
            if let Err(error) = watched.listen(&ended, &sender) {
                tracing::warn!("changes of files are no longer noticed: {error}");
            }
        })?;
        Ok(Self { seen, end })
    }

    /// Waits until something has changed, and then until it is quiet.
    pub async fn changed(&mut self) {
        self.some().await;
        let busy = async { while tokio::time::timeout(QUIET, self.some()).await.is_ok() {} };
        let _ = tokio::time::timeout(BUSY_FOR, busy).await; // a folder that is never quiet has changed all the same
    }

    /// Waits for events and forgets which.
    async fn some(&mut self) {
        if self.seen.changed().await.is_err() {
            std::future::pending::<()>().await; // the thread has said why
        }
    }
}

impl Drop for Changes {
    fn drop(&mut self) {
        let _ = self.end.write(1); // a counter that is full wakes as well
    }
}

/// The folders, and which of them are listened to.
struct Watched {
    inotify: Inotify,
    folders: Vec<PathBuf>,
    seen: BTreeMap<PathBuf, WatchDescriptor>,
}

impl Watched {
    /// Listens to folders that are there; true if one is there that was not, or is another one than before.
    fn look(&mut self) -> bool {
        let what = AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_MOVED_FROM
            | AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_ONLYDIR;
        let mut changed = false;
        for folder in &self.folders {
            match self.inotify.add_watch(folder, what) {
                Ok(now) => changed |= self.seen.insert(folder.clone(), now) != Some(now),
                Err(_) => changed |= self.seen.remove(folder).is_some(),
            }
        }
        changed
    }

    /// Counts events until it is told to end.
    fn listen(mut self, end: &EventFd, seen: &watch::Sender<u64>) -> nix::Result<()> {
        let every = PollTimeout::try_from(FOLDERS_EVERY).unwrap_or(PollTimeout::NONE);
        loop {
            let mut ready =
                [PollFd::new(self.inotify.as_fd(), PollFlags::POLLIN), PollFd::new(end.as_fd(), PollFlags::POLLIN)];
            match poll(&mut ready, every) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(error) => return Err(error),
            }
            if ready[1].any() == Some(true) {
                return Ok(());
            }
            let events = match self.inotify.read_events() {
                Ok(events) => !events.is_empty(),
                Err(Errno::EAGAIN | Errno::EINTR) => false,
                Err(error) => return Err(error),
            };
            if self.look() || events {
                seen.send_modify(|times| *times += 1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_link_put_in_the_place_of_another_is_one_change() {
        let folder = std::env::temp_dir().join(format!("nearpath-source-changes-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("..1")).unwrap();
        std::fs::create_dir_all(folder.join("..2")).unwrap();
        std::os::unix::fs::symlink("..1", folder.join("..data")).unwrap();
        let mut changes = Changes::in_folders(&[folder.clone(), folder.join("missing")]).unwrap();
        assert!(tokio::time::timeout(Duration::from_millis(50), changes.some()).await.is_err());
        std::os::unix::fs::symlink("..2", folder.join("..data_tmp")).unwrap();
        std::fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
        tokio::time::timeout(Duration::from_secs(10), changes.changed()).await.unwrap();
        assert!(
            tokio::time::timeout(Duration::from_millis(50), changes.some()).await.is_err(),
            "all events were one change"
        );
        std::fs::remove_dir_all(&folder).unwrap();
        std::fs::create_dir_all(&folder).unwrap();
        changes.changed().await;
        std::fs::write(folder.join("file"), "").unwrap();
        tokio::time::timeout(Duration::from_secs(30), changes.changed())
            .await
            .expect("a folder made anew is listened to");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
