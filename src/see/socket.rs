//! The unix socket in the folder of the daemon's state: for root and the daemon's own user alone, for the newest daemon there.
//!
//! ```text
//!   folder locked --> bound in a folder of mode 0700 --> mode 0600 --> renamed to its place, over whatever was left there
//!   at the end: folder locked --> removed, if it is still ours
//! ```
//!
//! So nobody else can open it at any moment, and there is always one that answers while instances follow each other.

use std::fs::{DirBuilder, File, Metadata, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener as StdListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use contract::limits::SEE_CONNECTIONS_MAX;
use tokio::net::UnixListener;
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;

use super::SOCKET;
use super::door::{Door, Policy};

/// Where it is bound before it is in its place; in the same folder, because a rename does not leave a file system.
const BEFORE: &str = ".nearpath.sock.new";
/// So often another instance is waited for that is at the same place,
const LOCK_TRIES: u32 = 100;
/// each time so long.
const LOCK_PAUSE: Duration = Duration::from_millis(10);
/// How often it is looked whether the socket is still in its place.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// The pause after the system could not accept, for want of descriptors or memory.
const FAILED_PAUSE: Duration = Duration::from_millis(50);

/// The socket, open and served. Dropped, it is closed, and removed unless another instance has taken its place.
pub struct Socket {
    path: PathBuf,
    ours: Arc<Ours>,
    task: AbortHandle,
}

/// Device and inode of the file that is ours.
type Ours = Mutex<(u64, u64)>;

impl Socket {
    /// Opens the socket in a folder and serves the door behind it. To be called inside the runtime.
    ///
    /// # Errors
    /// What the system says, with the path.
    pub fn open(folder: &Path, door: Arc<Door>) -> io::Result<Self> {
        let path = folder.join(SOCKET);
        let opened = bound(folder, &path).and_then(|(listener, made)| {
            let listener = UnixListener::from_std(listener)?;
            let ours = Arc::new(Mutex::new((made.dev(), made.ino())));
            // whoever made the file is the daemon's own user
            let serving = serve(listener, path.clone(), Arc::clone(&ours), (door, made.uid()));
            Ok(Self { path: path.clone(), ours, task: tokio::spawn(serving).abort_handle() })
        });
        opened.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.task.abort();
        let Some(folder) = self.path.parent() else { return };
        let _alone = alone(folder);
        let ours = *self.ours.lock().unwrap_or_else(PoisonError::into_inner);
        let is_ours = self.path.symlink_metadata().is_ok_and(|found| (found.dev(), found.ino()) == ours);
        if is_ours {
            let _ = std::fs::remove_file(&self.path); // one that stays is replaced by the next daemon
        }
    }
}

/// Binds where nobody else can reach it, and puts it in its place when it is as it should be.
fn bound(folder: &Path, path: &Path) -> io::Result<(StdListener, Metadata)> {
    let _alone = alone(folder)?;
    if path.symlink_metadata().is_ok_and(|found| !found.file_type().is_socket()) {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "something that is no socket is there; remove it"));
    }
    let before = folder.join(BEFORE);
    match std::fs::remove_dir_all(&before) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {} // of somebody who was killed in the midst of this
    }
    DirBuilder::new().mode(0o700).create(&before)?;
    let put = put_in_place(&before.join("s"), path);
    let _ = std::fs::remove_dir_all(&before); // left, it is removed next time
    put
}

fn put_in_place(before: &Path, path: &Path) -> io::Result<(StdListener, Metadata)> {
    let listener = StdListener::bind(before)?;
    listener.set_nonblocking(true)?;
    std::fs::set_permissions(before, Permissions::from_mode(0o600))?;
    let made = before.symlink_metadata()?;
    std::fs::rename(before, path)?;
    Ok((listener, made))
}

/// Keeps other instances from the same steps in the same folder, as long as it is held.
fn alone(folder: &Path) -> io::Result<File> {
    let folder = File::open(folder)?;
    for _ in 0..LOCK_TRIES {
        match folder.try_lock() {
            Ok(()) => return Ok(folder),
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Err(io::Error::new(io::ErrorKind::WouldBlock, "another process holds a lock on the folder"))
}

/// Serves the socket. Where nothing is in its place any more, since a newer daemon that had it has left, it is put there anew.
async fn serve(mut listener: UnixListener, path: PathBuf, ours: Arc<Ours>, (door, own): (Arc<Door>, u32)) {
    let places = Arc::new(Semaphore::new(SEE_CONNECTIONS_MAX));
    loop {
        tokio::select! {
            () = accept(&listener, &places, &door, own) => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        if path.symlink_metadata().is_ok() {
            continue;
        }
        let at = path.clone();
        let again = tokio::task::spawn_blocking(move || bound(at.parent().unwrap_or(Path::new("/")), &at)).await;
        if let Ok(Ok((fresh, made))) = again
            && let Ok(fresh) = UnixListener::from_std(fresh)
        {
            *ours.lock().unwrap_or_else(PoisonError::into_inner) = (made.dev(), made.ino());
            listener = fresh;
        }
    }
}

/// Takes connections in, for as long as it is polled.
async fn accept(listener: &UnixListener, places: &Arc<Semaphore>, door: &Arc<Door>, own: u32) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(FAILED_PAUSE).await; // others may close some
            continue;
        };
        let Ok(place) = Arc::clone(places).try_acquire_owned() else { continue };
        let policy = match stream.peer_cred() {
            Ok(peer) if [0, own].contains(&peer.uid()) => Policy::Owner,
            Ok(_) | Err(_) => Policy::Stranger,
        };
        let door = Arc::clone(door);
        tokio::spawn(async move {
            door.serve(stream, policy).await;
            drop(place);
        });
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::see::door::tests::nobody;

    /// A folder that goes with its test.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("nearpath-socket-{}-{name}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn socket(&self) -> PathBuf {
            self.0.join(SOCKET)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[tokio::test]
    async fn it_is_for_its_owner_alone_and_goes_with_its_daemon() {
        let scratch = Scratch::new("mode");
        let socket = Socket::open(&scratch.0, nobody()).unwrap();
        assert_eq!(scratch.socket().metadata().unwrap().mode() & 0o7777, 0o600);
        assert!(UnixStream::connect(scratch.socket()).is_ok());
        assert_eq!(std::fs::read_dir(&scratch.0).unwrap().count(), 1, "nothing else is left there");
        drop(socket);
        assert!(!scratch.socket().exists());
    }

    #[tokio::test]
    async fn the_newest_answers_and_the_one_before_leaves_it_alone() {
        let scratch = Scratch::new("newest");
        let first = Socket::open(&scratch.0, nobody()).unwrap();
        let second = Socket::open(&scratch.0, nobody()).unwrap();
        let ours = |socket: &Socket| *socket.ours.lock().unwrap();
        assert_ne!(ours(&first), ours(&second));
        drop(first);
        let found = scratch.socket().metadata().unwrap();
        assert_eq!((found.dev(), found.ino()), ours(&second));
        assert!(UnixStream::connect(scratch.socket()).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn when_the_newest_leaves_the_one_before_takes_its_place_again() {
        let scratch = Scratch::new("again");
        let first = Socket::open(&scratch.0, nobody()).unwrap();
        drop(Socket::open(&scratch.0, nobody()).unwrap());
        assert!(!scratch.socket().exists());
        while !scratch.socket().exists() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        tokio::time::sleep(Duration::from_secs(1)).await; // until it is noted as ours
        assert!(UnixStream::connect(scratch.socket()).is_ok());
        drop(first);
        assert!(!scratch.socket().exists());
    }

    #[tokio::test]
    async fn what_a_dead_daemon_left_is_replaced_and_what_is_no_socket_is_not() {
        let scratch = Scratch::new("left");
        drop(StdListener::bind(scratch.socket()).unwrap());
        std::fs::create_dir_all(scratch.0.join(BEFORE)).unwrap();
        std::fs::write(scratch.0.join(BEFORE).join("s"), []).unwrap();
        assert!(UnixStream::connect(scratch.socket()).is_err());
        drop(Socket::open(&scratch.0, nobody()).unwrap());
        std::fs::write(scratch.socket(), "a text of somebody's").unwrap();
        let error = Socket::open(&scratch.0, nobody()).err().unwrap().to_string();
        assert!(error.contains("no socket") && error.contains(SOCKET), "{error}");
        assert!(scratch.socket().exists());
    }
}
