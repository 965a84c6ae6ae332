//! The command line: what may be said, and who acts on it. One file per subcommand.

pub mod check;
pub mod cleanup;
pub mod cluster;
pub mod completions;
pub mod daemon;
pub mod demo;
pub mod doctor;
pub mod explain;
pub mod man;
pub mod node;
pub mod serve;
pub mod top;
pub mod watch;

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

pub use serve::ServeFlags;

/// What was said on the command line.
#[derive(Debug, Parser)]
#[command(
    name = "nearpath",
    version,
    about = "A DNS daemon for every node of a Kubernetes cluster",
    long_about = "A DNS daemon for every node of a Kubernetes cluster: it walks the search path for the pod that asks \
                  (AutoPath), answers from memory, and forwards the rest over TCP.\n\nWithout a subcommand it serves \
                  the Corefile given by -conf. Given -localip it sets up the node too, as node-cache does: the address that \
                  pods ask, the rules, and a failsafe in the kernel. Flags may be written with one dash or two, and set by \
                  the variable of the environment that stands behind each.",
    max_term_width = 100,
    args_conflicts_with_subcommands = true
)]
struct Line {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeFlags,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Read Corefiles and print their errors, or what they would do
    Check(Box<check::CheckFlags>),
    /// Remove interface, addresses and rules from this node
    Cleanup(cleanup::CleanupFlags),
    /// Watch a pod's eight questions become two, on this machine alone
    Demo(demo::DemoFlags),
    /// Say why a name gets the answer that it gets, for a pod or for everybody
    Explain(explain::ExplainFlags),
    /// Show live what is asked, by whom, and who answers
    Top(top::TopFlags),
    /// Look for what is wrong with this node and its DNS, and say what mends it
    Doctor(doctor::DoctorFlags),
    /// Print a line for each query that matches, live
    Watch(watch::WatchFlags),
    /// Print completions for a shell
    Completions(completions::CompletionsFlags),
    /// Print the manual page
    Man(man::ManFlags),
}

/// Parses the command line and runs what it says.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> anyhow::Result<ExitCode> {
    let command = without_strange_variables(Line::command(), &|name| std::env::var_os(name));
    let parsed = command.try_get_matches_from(arguments.into_iter().map(two_dashes));
    let line = match parsed.and_then(|matches| Line::from_arg_matches(&matches)) {
        Ok(line) => line,
        Err(error) => {
            let code = if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
            error.print()?;
            return Ok(code);
        }
    };
    match line.command {
        None => serve::run(&line.serve),
        Some(Command::Check(flags)) => check::run(&flags),
        Some(Command::Cleanup(flags)) => cleanup::run(&flags),
        Some(Command::Demo(flags)) => demo::run(&flags),
        Some(Command::Explain(flags)) => explain::run(&flags),
        Some(Command::Top(flags)) => top::run(&flags),
        Some(Command::Doctor(flags)) => doctor::run(&flags),
        Some(Command::Watch(flags)) => watch::run(&flags),
        Some(Command::Completions(flags)) => completions::run(&flags),
        Some(Command::Man(flags)) => man::run(&flags),
    }
}

/// The whole command line, for what is made of it: completions, the manual page.
fn command() -> clap::Command {
    Line::command()
}

/// The command without variables that nobody set for it: empty ones, and those that Kubernetes gives every pod for Services
/// with names like `nearpath-dns` (`NEARPATH_DNS_PORT=tcp://10.96.3.4:53`).
fn without_strange_variables(command: clap::Command, variable: &dyn Fn(&OsStr) -> Option<OsString>) -> clap::Command {
    let of_service = |value: &str| ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme));
    let is_strange =
        |name: &OsStr| variable(name).is_some_and(|value| value.is_empty() || value.to_str().is_some_and(of_service));
    let cured = command.mut_args(|argument| match argument.get_env().is_some_and(is_strange) {
        true => argument.env(None::<&str>),
        false => argument,
    });
    cured.mut_subcommands(|subcommand| without_strange_variables(subcommand, variable))
}

/// What a process was told that serves: its `words`, the program's name first, of which later ones win, and where they are silent its
/// environment. `None` if they are none of a daemon's.
fn flags_of(words: &[OsString], variable: &dyn Fn(&OsStr) -> Option<OsString>) -> Option<ServeFlags> {
    let mut all: Vec<OsString> = words.iter().take(1).cloned().collect();
    let command = without_strange_variables(Line::command(), variable);
    for argument in command.get_arguments() {
        let (Some(long), Some(value)) = (argument.get_long(), argument.get_env().and_then(variable)) else { continue };
        let mut word = OsString::from(format!("--{long}="));
        word.push(value);
        all.push(word);
    }
    all.extend(words.iter().skip(1).cloned());
    // our own environment says nothing of another process
    let command = Line::command().mut_args(|argument| argument.env(None::<&str>)).args_override_self(true);
    let line = command.try_get_matches_from(all.into_iter().map(two_dashes)).ok()?;
    let line = Line::from_arg_matches(&line).ok()?;
    line.command.is_none().then_some(line.serve)
}

/// `-conf` as `--conf`: flags of the programs that this one replaces have one dash.
fn two_dashes(argument: OsString) -> OsString {
    match argument.to_str() {
        Some(text) if is_long_with_one_dash(text) => format!("-{text}").into(),
        _ => argument,
    }
}

fn is_long_with_one_dash(text: &str) -> bool {
    let Some(name) = text.strip_prefix('-') else { return false };
    let name = name.split('=').next().unwrap_or_default();
    name.len() > 1 && name.starts_with(|first: char| first.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_stand_in_the_short_help_too() {
        for name in ["explain", "doctor", "watch"] {
            let help = command().find_subcommand_mut(name).unwrap().render_help().to_string();
            assert!(
                help.contains("Exit code: 0") && (help.contains("1 if") || help.contains("1 with")),
                "{name}: {help}"
            );
            assert!(help.contains("2 if") || help.contains("2 with"), "{name}: {help}");
        }
    }

    #[test]
    fn the_table_of_flags_is_sound() {
        Line::command().debug_assert();
    }

    #[test]
    fn one_dash_or_two() {
        let parse = |arguments: &[&str]| {
            Line::try_parse_from(arguments.iter().map(|argument| two_dashes(argument.into()))).map(|line| line.serve)
        };
        for arguments in [
            ["nearpath", "-conf", "x", "-p", "5300"],
            ["nearpath", "--conf", "x", "--dns.port", "5300"],
            ["nearpath", "-conf=x", "-dns.port=5300", "-threads=2", "-quiet"],
        ] {
            let flags = parse(&arguments).unwrap();
            assert_eq!(
                (flags.conf.as_deref().and_then(std::path::Path::to_str), flags.port),
                (Some("x"), 5300),
                "{arguments:?}"
            );
        }
        let flags = parse(&["nearpath", "-statedir", "/var/lib/nearpath"]).unwrap();
        let options = crate::daemon::Options::from_flags(&flags);
        assert_eq!(options.state_dir.as_deref(), Some("/var/lib/nearpath".as_ref()));
        assert!(parse(&["nearpath", "-p", "x"]).is_err());
        assert!(parse(&["nearpath", "-confg", "x"]).is_err());
    }

    #[test]
    fn the_arguments_of_node_cache_as_its_daemonset_has_them() {
        let parse = |words: &str| {
            let words = words.split_whitespace().map(|word| two_dashes(word.into()));
            Line::try_parse_from(words).map(|line| line.serve)
        };
        let flags =
            parse("nearpath -localip 169.254.20.10,10.96.0.10 -conf /etc/Corefile -upstreamsvc kube-dns-upstream")
                .unwrap();
        let services = ["10.96.0.10".parse().unwrap()].into();
        let plan = flags.node.plan(flags.port, &services).unwrap();
        assert_eq!((plan.own.len(), plan.intercepted().len(), plan.port, plan.health_port), (2, 1, 53, 8080));
        assert_eq!((plan.name.as_str(), plan.interface, plan.rules), ("nodelocaldns", true, true));
        assert_eq!((plan.sync_every.as_secs(), plan.failsafe.map(|lasts| lasts.as_secs())), (60, Some(86_400)));
        assert_eq!(plan.leaving, crate::node::Leaving::Stay);
        let flags = parse(
            "nearpath --localip=fd00::53 -setupinterface=false -setupiptables=f -setupebtables -syncinterval=30s -skipteardown \
             -interfacename dns0 -health-port 8081 -metrics-listen-address :9354 -kubednscm /cm -basecorefile /b -corefile /c \
             -reloadwithsignal -prometheus-listen-address 127.0.0.1:9254 -pidfile /p -quiet=true -p 5353 -failsafe 0",
        )
        .unwrap();
        assert_eq!(flags.node.without_use().count(), 2);
        let plan = flags.node.plan(flags.port, &services).unwrap();
        assert!(!plan.interface && !plan.rules && plan.intercepted().is_empty() && plan.failsafe.is_none());
        assert_eq!(
            (plan.name.as_str(), plan.port, plan.health_port, plan.sync_every.as_secs()),
            ("dns0", 5353, 8081, 30)
        );
        assert_eq!(plan.leaving, crate::node::Leaving::Stay, "-skipteardown");
        let tears_down = parse("nearpath -localip fd00::53 -failsafe 0").unwrap().node.plan(53, &services).unwrap();
        assert_eq!(tears_down.leaving, crate::node::Leaving::TearDown);
        assert!(parse("nearpath").unwrap().node.plan(53, &services).is_none());
        for wrong in [
            "-localip x",
            "-localip ,",
            "-setupinterface=maybe",
            "-syncinterval soon",
            "-health-port 0",
            "-interfacename a/b",
        ] {
            assert!(parse(&format!("nearpath {wrong}")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_environment_sets_every_flag_under_its_name() {
        let without = ["help", "version", "plugins"];
        for argument in
            Line::command().get_arguments().filter(|argument| !without.contains(&argument.get_id().as_str()))
        {
            let long = argument.get_long().expect("every flag has a long name");
            let expected = format!("NEARPATH_{}", long.to_uppercase().replace(['-', '.'], "_"));
            assert_eq!(argument.get_env().and_then(|name| name.to_str()), Some(expected.as_str()));
        }
    }

    #[test]
    fn variables_that_nobody_set_for_us_set_nothing() {
        let kept = |value: &'static str| {
            let command =
                without_strange_variables(Line::command(), &|name| (name == "NEARPATH_DNS_PORT").then(|| value.into()));
            command.get_arguments().any(|argument| argument.get_env().is_some_and(|name| name == "NEARPATH_DNS_PORT"))
        };
        assert!(kept("5353"));
        assert!(!kept("tcp://10.96.3.4:53") && !kept(""));
    }

    #[test]
    fn every_flag_says_what_it_does() {
        for command in std::iter::once(&Line::command()).chain(Line::command().get_subcommands()) {
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{} of {}", argument.get_id(), command.get_name());
            }
        }
    }
}
