//! Templates and what they make of one question, and what is wrong with others and where.

use contract::testing::query;
use contract::wire::{Class, RecordType};
use contract::{LabelBook, Query};

use super::{Data, Groups, Program};

fn groups() -> Groups {
    let names = ["a", "h", "0", "1", "2"].map(str::to_owned).to_vec();
    Groups { names, most: 3 }
}

/// What a template makes of `ip-10-ff.example.` asked for as A.
fn made(text: &str) -> Result<String, String> {
    let program = Program::parse(text, &groups()).map_err(|wrong| format!("{}: {}", wrong.at, wrong.message))?;
    let query = Query { class: Class::IN, ..query("ip-10-ff.example", RecordType::A) };
    let data = Data {
        zone: "example.",
        name: "ip-10-ff.example.",
        regex: "^ip-",
        matches: ["ip-10-ff.example.", "10", "ff"].map(str::to_owned).to_vec(),
        groups: [("0", "ip-10-ff.example."), ("1", "10"), ("2", "ff"), ("h", "ff")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
        class: Class::IN,
        rtype: RecordType::A,
        query: &query,
        labels: &LabelBook::default(),
    };
    program.text(&data).map_err(|failed| failed.to_string())
}

#[test]
fn templates_make_what_go_makes_of_them() {
    for (text, expected) in [
        ("plain", "plain"),
        ("{{ .Name }} 60 IN A", "ip-10-ff.example. 60 IN A"),
        ("{{.Zone}} {{.Class}} {{.Type}} {{.Regex}} {{.Remote}}", "example. IN A ^ip- 192.0.2.7"),
        ("{{ index .Match 1 }}.{{ .Group.h }}.{{ index .Group \"2\" }}", "10.ff.ff"),
        ("{{ .Match }}", "[ip-10-ff.example. 10 ff]"),
        ("{{ .Group.a }}|{{ index .Group \"zz\" }}", "<no value>|"),
        ("{{ .Question.Name }} {{ .Question.Qtype }} {{ .Question.Qclass }}", "ip-10-ff.example. 1 1"),
        ("{{ .Message.Id }} {{ .Message.RecursionDesired }} {{ .Message.Opcode }}", "1 true 0"),
        ("{{ .Meta \"a/b\" }}{{ \"a/b\" | .Meta }}", ""),
        ("{{ parseInt .Group.h 16 8 }} {{ parseInt \"0x1f\" 0 0 }} {{ parseInt \"z\" 36 64 }}", "255 31 35"),
        ("a {{- 1 -}} b {{/* nothing */}}c {{- /* less */ -}} d", "a1b cd"),
        ("{{ \"a\\tb\\\"\\x41\\u00e9\" }}{{ `\\n` }}", "a\tb\"Aé\\n"),
        ("{{ 0x10 }} {{ 010 }} {{ -3 }} {{ 1_000 }} {{ 0b11 }} {{ true }}", "16 8 -3 1000 3 true"),
        ("{{ if eq .Type \"A\" \"AAAA\" }}yes{{ else }}no{{ end }}", "yes"),
        ("{{ if eq .Type \"MX\" }}1{{ else if eq .Type \"A\" }}2{{ else }}3{{ end }}", "2"),
        ("{{ if .Group.a }}1{{ else }}2{{ end }}{{ if not .Group.a }}3{{ end }}", "23"),
        ("{{ if and .Name (lt 1 2) (ne .Type \"MX\") }}1{{ end }}{{ or \"\" \"x\" }}{{ and 0 \"y\" }}", "1x0"),
        ("{{ \"\" | or \"\" }}|{{ \"p\" | and 1 }}", "|p"),
        ("{{ le 1 1 }}{{ gt \"b\" \"a\" }}{{ ge 1 2 }}{{ eq 1 1 }}", "truetruefalsetrue"),
        ("{{ with .Group }}{{ .h }}{{ . | len }}{{ $.Name }}{{ end }}", "ff4ip-10-ff.example."),
        ("{{ with .Group.a }}x{{ else }}y{{ end }}{{ with $x := 1 }}{{ $x }}{{ . }}{{ end }}", "y11"),
        ("{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ $y := 5 }}{{ $x }}{{ $y }}{{ end }}{{ $x }}", "252"),
        ("{{ $x := .Group }}{{ $x.h }}{{ (.Group).h }}", "ffff"),
        (
            "{{ len .Name }} {{ len .Match }} {{ slice .Name 3 5 }} {{ index .Name 0 }} {{ slice .Match 1 }}",
            "17 3 10 105 [10 ff]",
        ),
        (
            "{{ printf \"%s-%05d|%-4s|%4d|%x|%X|%q|%v|%t|%%|%+d|%.1s\" .Class 42 \"a\" 7 255 255 \"b\" 1 true 3 \"xy\" }}",
            "IN-00042|a   |   7|ff|FF|\"b\"|1|true|%|+3|x",
        ),
        ("{{ .Group.h | printf \"%s:%s\" \"a\" }}", "a:ff"),
        ("{{ print 1 2 \"a\" \"b\" 3 }}", "1 2ab3"),
        ("{{ println 1 \"a\" \"b\" }}", "1 a b\n"),
    ] {
        assert_eq!(made(text).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn what_values_do_not_allow_fails_when_it_is_asked_for() {
    for (text, reason) in [
        ("{{ parseInt .Group.a 16 8 }}", "`parseInt` is given a value that there is none of"),
        ("{{ parseInt \"gg\" 16 8 }}", "which is no such number"),
        ("{{ parseInt \"256\" 10 8 }}", "which is no such number"),
        ("{{ parseInt \"-1\" 10 8 }}", "which is no such number"),
        ("{{ parseInt \"1\" 1 8 }}", "which is no such number"),
        ("{{ parseInt \"1\" 10 65 }}", "which is no such number"),
        ("{{ index .Match (len .Match) }}", "the index 3, which is out of range"),
        ("{{ slice .Name 5 3 }}", "out of range"),
        ("{{ eq .Name 1 }}", "`eq` takes values of one kind"),
        ("{{ lt .Name 1 }}", "`lt` takes two numbers or two texts"),
        ("{{ .Group }}", "a map cannot be printed"),
        ("{{ printf \"%d\" .Name }}", "`printf` takes values that their verbs are for"),
        ("{{ $x := .Name }}{{ $x.y }}", "`.` takes a map"),
        (
            "{{ $x := print .Name .Name .Name .Name }}{{ $x = print $x $x $x $x $x $x $x $x }}{{ $x = print $x $x $x $x $x $x $x $x }}{{ $x = print $x $x $x $x $x $x $x $x $x $x $x $x $x $x $x $x }}",
            "longer than 65536 octets",
        ),
    ] {
        let said = made(text).unwrap_err();
        assert!(said.contains(reason), "{text}: {said}");
    }
}

#[test]
fn what_is_beyond_is_refused_where_it_stands() {
    for (text, at, message) in [
        ("a {{ .Nam }}", 5, "there is no field `.Nam`"),
        ("{{ .Message }}", 3, "`.Message` as a whole"),
        ("{{ .Message.Question }}", 3, "`.Message.Question` is not known"),
        ("{{ .Name.x }}", 8, "`.x` of what has no fields"),
        ("{{ . }}", 3, "`.` as a whole"),
        ("{{ $ }}", 3, "`$` as a whole"),
        ("{{ $x }}", 3, "there is no variable `$x`"),
        ("{{ if true }}{{ $x := 1 }}{{ end }}{{ $x }}", 38, "there is no variable `$x`"),
        ("{{ .Group.b }}", 9, "no regular expression here has a group `b`"),
        ("{{ index .Match 3 }}", 16, "no regular expression here has a group 3"),
        ("{{ index .Match -1 }}", 16, "no regular expression here has a group -1"),
        ("{{ upper .Name }}", 3, "there is no function `upper`"),
        ("{{ range .Match }}{{ end }}", 3, "`range` is not known here"),
        ("{{ parseInt .Name }}", 3, "`parseInt` is given 1 arguments"),
        ("{{ not 1 2 }}", 3, "`not` is given 2 arguments"),
        ("{{ .Meta }}", 3, "`.Meta` without one label"),
        ("{{ .Name 1 }}", 9, "a value takes no arguments"),
        ("{{ 1 | .Name }}", 7, "a value cannot take what the pipe gives"),
        ("{{ eq len 1 }}", 6, "a function as an argument"),
        ("{{ print \"a\"\"b\" }}", 12, "without a blank"),
        ("{{ }}", 0, "a value is missing"),
        ("{{ print | }}", 0, "a value is missing"),
        ("{{ (print 1 }}", 3, "a `(` that is never closed"),
        ("{{ print 1) }}", 10, "a `)` without `(`"),
        ("x {{ .Name", 2, "an action that does not end"),
        ("{{/* x }}", 0, "a comment that does not end"),
        ("{{/* x */ .Name}}", 9, "something behind a comment"),
        ("{{ \"a }}", 3, "a text that does not end"),
        ("{{ \"a\\d\" }}", 5, "a backslash that escapes nothing"),
        ("{{ 1.5 }}", 3, "`1.5` is no whole number"),
        ("{{ 18446744073709551616 }}", 3, "too large"),
        ("{{ .Name ; }}", 9, "`;` means nothing here"),
        ("{{ if true }}x", 0, "an `if` that does not end"),
        ("{{ end }}", 0, "an `end` of nothing"),
        ("{{ else }}", 0, "an `else` without"),
        ("{{ if 1 }}{{ else }}{{ else }}{{ end }}", 20, "a second `else`"),
        ("{{ printf \"%d %y\" 1 2 }}", 14, "the verb `%y` is not known"),
        ("{{ printf \"%d\" }}", 10, "a format for 1 values is given 0"),
    ] {
        let wrong = Program::parse(text, &groups()).expect_err(text);
        assert!(wrong.at == at && wrong.message.contains(message), "{text}: {wrong:?}");
        assert!(!wrong.expected.is_empty(), "{text}");
    }
    let deep = format!("{{{{ {}1{} }}}}", "(".repeat(70), ")".repeat(70));
    assert!(Program::parse(&deep, &groups()).unwrap_err().message.contains("more than 64 inside each other"));
}

#[test]
fn what_depends_on_who_asks_is_known() {
    for (text, is_personal) in [
        ("{{ .Name }}", false),
        ("{{ .Question.Qtype }}", false),
        ("{{ .Remote }}", true),
        ("{{ if .Meta \"a/b\" }}x{{ end }}", true),
        ("{{ $.Message.Id }}", true),
    ] {
        assert_eq!(Program::parse(text, &groups()).unwrap().is_personal, is_personal, "{text}");
    }
}

#[test]
fn it_is_written_as_metrics_have_it() {
    let text = "{{ .Name }} 60 {{- if eq  .Type  \"A\" }} A {{ else }}{{ $x := (len .Match) | print 1 }}{{ $x }}{{ end }}{{ .Group.h }}{{ .Meta \"a\" }}{{/**/}}";
    let written = "{{.Name}} 60{{if eq .Type \"A\"}} A {{else}}{{$x := (len .Match) | print 1}}{{$x}}{{end}}{{.Group.h}}{{.Meta \"a\"}}";
    assert_eq!(Program::parse(text, &groups()).unwrap().to_string(), written);
}
