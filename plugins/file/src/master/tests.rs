//! What zone files say, and where they are wrong.

use std::path::PathBuf;

use super::*;

fn all(text: &str) -> Result<Vec<Parsed>, String> {
    let mut parsed = Vec::new();
    let origin = Name::parse("example.org").unwrap();
    let mut take = |one: Parsed| {
        parsed.push(one);
        Ok(ControlFlow::Continue(()))
    };
    let read = read(Path::new("db"), text.as_bytes(), &origin, &mut Stamps::default(), &mut take);
    read.map(|_| parsed).map_err(|bad| bad.to_string())
}

/// Owner, type and TTL.
fn heads(text: &str) -> Vec<(String, RecordType, u32)> {
    all(text).unwrap().into_iter().map(|one| (one.owner.to_string(), one.rtype, one.ttl)).collect()
}

#[test]
fn owners_ttls_and_origins_are_taken_over() {
    let text = "; a comment\n\n@ 1h IN SOA ns Host.Master 1 2h 3m 4d 1w\n  NS ns ; of the apex\n\tIN 5 NS ns.example.net.\n\
                www A 192.0.2.1\n$TTL 7\nmail.example.org. IN MX 10 mail\nx 9 A 192.0.2.2\ny A 192.0.2.3\n\
                $ORIGIN sub\n@ A 192.0.2.4\n*.w IN 3 A 192.0.2.5\n$ORIGIN example.net.\na A 192.0.2.6\n";
    use RecordType as T;
    let expected = [
        ("example.org.", T::SOA, 3600),
        ("example.org.", T::NS, 3600),
        ("example.org.", T::NS, 5),
        ("www.example.org.", T::A, 5),
        ("mail.example.org.", T::MX, 7),
        ("x.example.org.", T::A, 9),
        ("y.example.org.", T::A, 7),
        ("sub.example.org.", T::A, 7),
        ("*.w.sub.example.org.", T::A, 3),
        ("a.example.net.", T::A, 7),
    ];
    assert_eq!(heads(text), expected.map(|(owner, rtype, ttl)| (owner.to_owned(), rtype, ttl)));
    let minimum = heads("@ SOA a b 1 2 3 4 30\nx A 192.0.2.1");
    assert_eq!(minimum.iter().map(|one| one.2).collect::<Vec<_>>(), [30, 30], "an SOA's MINIMUM");
    assert_eq!(heads("a.b\\.c 1 TXT x")[0].0, r"a.b\.c.example.org.");
    assert_eq!(heads("\r\n a 1 TXT x\r\n".trim_start())[0].2, 1, "lines may end as on other systems");
}

#[test]
fn records_are_generated() {
    let text =
        "$TTL 7\n$GENERATE 1-5/2 host-$ A 192.0.2.$\na A 192.0.2.9\n$GENERATE 9-10 ${1,3,x} 5 TXT \"$$ \\$ $\"\n";
    let owners: Vec<_> =
        heads(text).into_iter().map(|(owner, _, ttl)| (owner.replace(".example.org.", ""), ttl)).collect();
    let expected = [("host-1", 3600), ("host-3", 3600), ("host-5", 3600), ("a", 7), ("00a", 5), ("00b", 5)];
    assert_eq!(owners, expected.map(|(owner, ttl)| (owner.to_owned(), ttl)));
    let parsed = all(text).unwrap();
    assert_eq!(parsed[1].rdata, [192, 0, 2, 3]);
    assert_eq!(parsed[5].rdata, b"\x06$ $ 10");
}

#[test]
fn names_that_others_are_looked_up_by_are_in_lower_case() {
    for (text, octets) in [
        ("CNAME Web.o.", "\x03web\x01o\0"),
        ("MX 10 A.", "\0\x0a\x01a\0"),
        (r"MX \# 5 000a014100", "\0\x0a\x01a\0"),
        ("HTTPS 0 Web.", "\0\0\x03web\0"),
        ("PTR Web.o.", "\x03Web\x01o\0"),
        ("SRV 1 2 3 Web.", "\0\x01\0\x02\0\x03\x03Web\0"),
    ] {
        let parsed = all(&format!("a 1 {text}")).unwrap();
        assert_eq!(parsed[0].rdata, octets.as_bytes(), "{text}");
    }
}

#[test]
fn a_mistake_has_a_line_and_a_reason() {
    for (text, place, reason) in [
        ("a 1 A 192.0.2", "db:1", "`192.0.2` is not an IPv4"),
        ("\n\na 1 AA 192.0.2.1", "db:3", "`AA` is no type"),
        ("a A 192.0.2.1", "db:1", "without a TTL"),
        ("  1 A 192.0.2.1", "db:1", "without an owner"),
        ("a 1", "db:1", "without a type"),
        ("a 1 CH TXT x", "db:1", "only IN"),
        ("a..b 1 A 192.0.2.1", "db:1", "label is empty"),
        ("a 1 TXT ( x\n y", "db:1", "never closed"),
        ("a 1 TXT \"x\ny\" (\nx\n) )", "db:4", "not opened"),
        ("a 1 TXT x\na 1 TXT \"x\n", "db:2", "quote that is never closed"),
        ("a 1 TXT (\n x\n) \n b 1 A\n", "db:4", "`b` is no type"),
        ("$TTL", "db:1", "$TTL SECONDS"),
        ("$TTL x", "db:1", "no TTL"),
        ("$ORIGIN", "db:1", "$ORIGIN NAME"),
        ("$DATE 1", "db:1", "`$DATE` is not known"),
        ("$GENERATE 2-1 a A 192.0.2.$", "db:1", "no range"),
        ("$GENERATE 1-2/0 a A 192.0.2.$", "db:1", "no range"),
        ("$GENERATE 1 a A 192.0.2.$", "db:1", "no range"),
        ("$GENERATE 0-65536 a A 192.0.2.$", "db:1", "65535 steps"),
        ("$GENERATE 1-2", "db:1", "without an owner"),
        ("\n$GENERATE 254-256 a$ A 192.0.2.$", "db:2", "`192.0.2.256` is not an IPv4"),
        ("$GENERATE 1-2 a${-2} A 192.0.2.$", "db:1", "leads out"),
        ("$GENERATE 1-2 a${0,1,z} A 192.0.2.$", "db:1", "no modifier"),
        ("$GENERATE 1-2 a${0 A 192.0.2.$", "db:1", "never closed"),
        ("$INCLUDE /nonexistent/zone", "db:1", "/nonexistent/zone: No such file"),
    ] {
        let said = all(text).unwrap_err();
        assert!(said.starts_with(&format!("{place}: ")) && said.contains(reason), "{text}\n{said}");
    }
    let long = format!("{} 1 A 192.0.2.1", "x.".repeat(126));
    assert!(all(&long.replace(". 1", " 1")).unwrap_err().contains("longer than 255"));
}

#[test]
fn few_octets_are_not_written_as_very_many() {
    let text = "a 1 A 192.0.2.1\n$GENERATE 0-65535 b$ TXT 0123456789\n";
    let origin = Name::parse("example.org").unwrap();
    let (mut files, mut records) = (Stamps::default(), 0);
    let mut take = |_: Parsed| {
        records += 1;
        Ok(ControlFlow::Continue(()))
    };
    // the first one has 15 + 4, those up to 9 have 16 + 11
    let room = 19 + 10 * 27;
    let mut reader = Reader { default: None, records: 0, room, octets: 0, files: &mut files, take: &mut take };
    let bad = reader.file(Path::new("db"), text.as_bytes(), origin.as_wire().to_vec(), 0).unwrap_err();
    assert_eq!(bad.to_string(), "db:2: owners and data of more than 268435456 octets");
    assert_eq!(records, 11);
}

/// A folder of its own, removed at the end.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn files_include_others_beside_them() {
    let folder = Folder(std::env::temp_dir().join(format!("file-include-{}", std::process::id())));
    std::fs::create_dir_all(folder.0.join("sub")).unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.0.join(name), text).unwrap();
    write("db", "$TTL 5\n$INCLUDE sub/one in\nb A 192.0.2.2\n$INCLUDE sub/one\n");
    write("sub/one", "a A 192.0.2.1\n$ORIGIN x.\n$INCLUDE two\n");
    write("sub/two", "c A 192.0.2.3\n");
    let read_all = |file: &str| {
        let mut owners = Vec::new();
        let path = folder.0.join(file);
        let octets = slurp(&path, ZONE_FILE_MAX).unwrap();
        let origin = Name::parse("example.org").unwrap();
        let read = read(&path, &octets, &origin, &mut Stamps::default(), &mut |one: Parsed| {
            owners.push(one.owner.to_string());
            Ok(ControlFlow::Continue(()))
        });
        read.map(|_| owners).map_err(|bad| bad.to_string())
    };
    let expected = ["a.in.example.org.", "c.x.", "b.example.org.", "a.example.org.", "c.x."];
    assert_eq!(read_all("db").unwrap(), expected);
    write("sub/two", "c A 192.0.2\n");
    assert!(read_all("db").unwrap_err().contains("two:1: A: `192.0.2` is not an IPv4"));
    write("loop", "$INCLUDE loop\n");
    assert!(read_all("loop").unwrap_err().contains("more than 7 deep"));
    write("dir", "$INCLUDE sub\n");
    assert!(read_all("dir").unwrap_err().contains("no file"));
}
