//! Which daemon is looked at, and where it is asked about itself.

use clap::{Args as _, FromArgMatches as _};

use super::super::process::tests::process;
use super::*;

fn flags(words: &[&str]) -> DoctorFlags {
    let command = DoctorFlags::augment_args(clap::Command::new("doctor")).mut_args(|one| one.env(None::<&str>));
    let matches = command.try_get_matches_from([&["doctor"], words].concat()).unwrap();
    DoctorFlags::from_arg_matches(&matches).unwrap()
}

fn daemons() -> Vec<Process> {
    let daemon = |(pid, folder)| {
        let mut daemon = process(&["nearpath", "-conf", "x", "-statedir", folder], &[]);
        daemon.pid = pid;
        daemon
    };
    [(7, "a"), (8, "b"), (9, "b")].map(daemon).into()
}

#[test]
fn the_daemon_is_the_one_that_is_meant() {
    for (words, pid, unclear) in [
        (&[][..], Some(7), &[7, 8, 9][..]),
        (&["--statedir=/proc/7/root/srv/a"], Some(7), &[]),
        (&["--statedir=/proc/8/root/srv/b"], Some(8), &[]),
        (&["--statedir=/no-such"], Some(7), &[7, 8, 9]),
        (&["--statedir=/proc/8/root/srv/b", "--pid=9"], Some(9), &[]),
        (&["--pid=10"], None, &[]),
    ] {
        let (process, guessed) = chosen(daemons(), &flags(words));
        assert_eq!((process.map(|one| one.pid), guessed.as_slice()), (pid, unclear), "{words:?}");
    }
}

#[test]
fn the_socket_is_the_chosen_daemons_own() {
    let flags = flags(&["--statedir=/proc"]);
    let options = |folder: Option<&str>| Options { state_dir: folder.map(PathBuf::from), ..Options::default() };
    let [daemon, ..] = &daemons()[..] else { panic!("daemons") };
    let own = socket(&flags, Some(daemon), Some(&options(Some("/own"))));
    assert_eq!(own.unwrap(), Path::new("/own").join(crate::see::SOCKET));
    assert!(socket(&flags, Some(daemon), Some(&options(None))).unwrap_err().contains("-statedir"));
    assert_eq!(socket(&flags, None, None).unwrap(), Path::new("/proc").join(crate::see::SOCKET));
}
