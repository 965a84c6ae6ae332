//! What is printed for shells and for readers: completions and the manual page.

use std::io::Write as _;
use std::process::{Command, Stdio};

use nearpath_tests::mode;

use super::said;

/// Gives a program a text; true if it is content, with what it says.
#[track_caller]
fn takes(program: &str, arguments: &[&str], text: &str) -> (bool, String) {
    let mut child = mode::command(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("an installed program runs");
    let mut input = child.stdin.take().expect("piped");
    let text = text.to_owned();
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let output = child.wait_with_output().expect("it ends");
    writer.join().expect("it writes").expect("it reads");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn completions_are_scripts_of_their_shells() {
    for shell in ["bash", "zsh", "fish"] {
        let script = said(&["completions", shell]);
        assert_eq!(script.code, Some(0));
        assert!(script.out.contains("explain") && script.out.contains("statedir"), "{shell}: {}", script.out);
        let check: &[&str] = if shell == "fish" { &["--no-execute"] } else { &["-n"] };
        if shell == "bash" || mode::find(shell).is_some() {
            let (is_good, complaint) = takes(shell, check, &script.out);
            assert!(is_good && complaint.is_empty(), "{shell}: {complaint}");
        }
    }
    assert_eq!(said(&["completions", "tcsh"]).code, Some(2));
}

#[test]
fn a_shell_completes_subcommands_by_the_script() {
    let script = said(&["completions", "bash"]).out;
    let asks = format!(
        "{script}\nCOMP_WORDS=(nearpath ex); COMP_CWORD=1; _nearpath nearpath ex nearpath; echo \"${{COMPREPLY[*]}}\"\n"
    );
    let (is_good, completed) = takes("bash", &["--norc", "--noprofile"], &asks);
    assert!(is_good && completed.contains("explain"), "{completed}");
}

#[test]
fn the_manual_page_is_one_that_groff_takes() {
    let page = said(&["man"]);
    assert_eq!(page.code, Some(0));
    for command in ["EXPLAIN", "TOP", "WATCH", "DOCTOR", "COMPLETIONS", "CHECK"] {
        assert!(page.out.contains(&format!(".SH \"NEARPATH {command}\"")), "{command}");
    }
    let Some(groff) = mode::find("groff").filter(|groff| knows_man(groff)) else {
        mode::note("the manual page is not set: no groff with its macros of manual pages here");
        return;
    };
    let groff = groff.display().to_string();
    let (is_good, set) = takes(&groff, &["-man", "-ww", "-Tascii", "-P-cbou"], &page.out);
    assert!(is_good && set.contains("NEARPATH EXPLAIN") && !set.contains("warning:"), "{set}");
}

fn knows_man(groff: &std::path::Path) -> bool {
    let mut command = Command::new(groff);
    let output = command.args(["-man", "-Tascii"]).stdin(Stdio::null()).output();
    output.is_ok_and(|output| output.status.success() && output.stderr.is_empty())
}
