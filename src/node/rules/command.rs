//! Runs the kernel's own tools, none of them for longer than a bound.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;

use contract::limits::{RULES_COMMAND_WITHIN, RULES_OUTPUT_MAX};

use super::RulesError;

/// Where the tools lie when the path does not name their folder.
const FOLDERS: [&str; 4] = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"];

/// What a program said before it ended.
pub(super) struct Said {
    /// How it ended.
    pub(super) status: ExitStatus,
    /// Its output.
    pub(super) output: String,
    /// Its complaints.
    pub(super) complaint: String,
}

impl Said {
    /// The output of a program that did what was asked.
    pub(super) fn done(self, program: &str) -> Result<String, RulesError> {
        match self.status.success() {
            true => Ok(self.output),
            false => Err(self.refusal(program)),
        }
    }

    /// What a program refused, by the first lines of its complaint.
    pub(super) fn refusal(&self, program: &str) -> RulesError {
        let lines: Vec<_> = self.complaint.lines().map(str::trim).filter(|line| !line.is_empty()).take(3).collect();
        RulesError::Refused { program: program.to_owned(), complaint: lines.join("; ") }
    }
}

/// Where a program is; `None` if it is not installed.
pub(super) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(FOLDERS.map(PathBuf::from));
    folders.map(|folder| folder.join(program)).find(|candidate| candidate.is_file())
}

/// Runs a program to its end, or ends it when its time is over.
pub(super) fn run(program: &str, arguments: &[&str], input: &str) -> Result<Said, RulesError> {
    let path = find(program).ok_or_else(|| RulesError::Missing { program: program.to_owned() })?;
    let failed = |error| RulesError::Unstarted { program: program.to_owned(), error };
    let mut child = Command::new(path)
        .args(arguments)
        .env("LC_ALL", "C") // complaints are read, in English
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let said = listen(&mut child, input);
    match said {
        Some((output, complaint)) => Ok(Said { status: child.wait().map_err(failed)?, output, complaint }),
        None => {
            // it may have ended just now, and then there is nothing to end
            child.kill().ok();
            child.wait().map_err(failed)?;
            Err(RulesError::Late { program: program.to_owned() })
        }
    }
}

/// Feeds a program and hears both of its voices to their end; `None` if that takes too long.
fn listen(child: &mut Child, input: &str) -> Option<(String, String)> {
    let (sender, receiver) = mpsc::channel();
    let mut stdin = child.stdin.take().expect("it is piped");
    let input = input.to_owned();
    // a program that ends without reading breaks the pipe, and says why by itself
    std::thread::spawn(move || stdin.write_all(input.as_bytes()).ok());
    let output: Box<dyn Read + Send> = Box::new(child.stdout.take().expect("it is piped"));
    let complaint: Box<dyn Read + Send> = Box::new(child.stderr.take().expect("it is piped"));
    for (number, voice) in [output, complaint].into_iter().enumerate() {
        let sender = sender.clone();
        std::thread::spawn(move || {
            let mut heard = Vec::new();
            voice.take(RULES_OUTPUT_MAX).read_to_end(&mut heard).ok();
            // nobody waits any more for one who is late
            sender.send((number, String::from_utf8_lossy(&heard).into_owned())).ok();
        });
    }
    let mut heard = [String::new(), String::new()];
    for _ in 0..heard.len() {
        let (number, text) = receiver.recv_timeout(RULES_COMMAND_WITHIN).ok()?;
        heard[number] = text;
    }
    let [output, complaint] = heard;
    Some((output, complaint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_fed_is_heard_again() {
        let said = run("cat", &[], "add table").unwrap();
        assert_eq!(said.done("cat").unwrap(), "add table");
    }

    #[test]
    fn a_refusal_is_told_in_the_words_of_the_program() {
        let said = run("sh", &["-c", "echo no such chain >&2; exit 1"], "").unwrap();
        let error = said.done("sh").unwrap_err().to_string();
        assert!(error.contains("no such chain") && error.contains("sh"), "{error}");
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        assert!(
            matches!(run("no-such-program", &[], ""), Err(RulesError::Missing { program }) if program == "no-such-program")
        );
    }

    #[test]
    fn a_program_that_hangs_is_ended() {
        assert!(matches!(run("sleep", &["600"], ""), Err(RulesError::Late { .. })));
    }
}
