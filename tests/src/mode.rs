//! How long a run may take, and what happens to a tier that cannot run here.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

/// True if the run may take its time (`tests/run --long`).
pub fn is_long() -> bool {
    std::env::var_os("NEARPATH_LONG").is_some()
}

/// `ordinary` in the ordinary run, `long` in the long one.
pub fn of<T>(ordinary: T, long: T) -> T {
    if is_long() { long } else { ordinary }
}

/// The seed of everything random in this run, printed so that a failure can be had again by `NEARPATH_SEED`.
pub fn seed() -> u64 {
    let seed = std::env::var("NEARPATH_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(20_261_121);
    note(&format!("seed {seed} (NEARPATH_SEED sets another)"));
    seed
}

/// Says something in the test's output.
pub fn note(text: &str) {
    writeln!(std::io::stdout(), "  {text}").expect("a test's output can be written");
}

/// True if all programs are installed. If not, the tier is named as skipped, and in CI the test fails.
#[track_caller]
pub fn have(tier: &str, programs: &[&str]) -> bool {
    let missing: Vec<_> = programs.iter().filter(|program| find(program).is_none()).copied().collect();
    if missing.is_empty() {
        return true;
    }
    skip(tier, &format!("not installed: {}", missing.join(", ")));
    false
}

/// Names a tier as skipped; fails in CI, where nothing may be skipped.
#[track_caller]
pub fn skip(tier: &str, why: &str) {
    let line = format!("{tier}: {why}");
    assert!(std::env::var_os("CI").is_none(), "skipped in CI: {line}");
    note(&format!("SKIPPED {line}"));
    if let Some(path) = std::env::var_os("NEARPATH_SKIPS") {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
        // in one piece, since several tests write to it
        let written = file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
        written.expect("the list of skips can be written");
    }
}

/// Where a program is: on the path, or among the system's daemons.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders.map(|folder| folder.join(program)).find(|candidate| candidate.is_file())
}

/// A command for a program that [`have`] found.
pub fn command(program: &str) -> Command {
    Command::new(find(program).unwrap_or_else(|| panic!("{program} is installed")))
}

/// The root of the clone.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace").to_path_buf()
}
