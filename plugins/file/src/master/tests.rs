//! What zone files say, and where they are wrong.

use std::path::PathBuf;

use super::*;

fn all(text: &str) -> Result<Vec<Parsed>, String> {
    let mut parsed = Vec::new();
    let origin = Name::parse("example.org").unwrap();
    let mut take = |one: Parsed| {
        parsed.push(one);
        Ok(())
    };
    read(Path::new("db"), text.as_bytes(), &origin, &mut take).map_err(|bad| bad.to_string())?;
    Ok(parsed)
}

/// Owner, type and TTL.
fn heads(text: &str) -> Vec<(String, RecordType, u32)> {
    all(text).unwrap().into_iter().map(|one| (one.owner.to_string(), one.rtype, one.ttl)).collect()
}

/// The RDATA of one record, as hexadecimal digits; names are below `o.`.
fn rdata(text: &str) -> String {
    let text = format!("$TTL 1\n$ORIGIN o.\n@ {text}\n");
    let parsed = all(&text).unwrap_or_else(|reason| panic!("{text}{reason}"));
    let [one] = &parsed[..] else { panic!("{parsed:?}") };
    data_encoding::HEXLOWER.encode(&one.rdata)
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
fn each_type_has_its_wire_form() {
    for (text, octets) in [
        ("A 192.0.2.1", "c0000201"),
        ("AAAA 2001:db8::1", "20010db8000000000000000000000001"),
        ("CNAME Web", "03776562016f00"),
        ("PTR Web", "03576562016f00"),
        ("MX 10 a.", "000a016100"),
        ("SRV 1 2 53 Ns", "000100020035024e73016f00"),
        ("TXT a \"b c\" \"d\\\"\\100\" e\\;f", "016103622063036422640365 3b66"),
        ("SPF v=spf1", "06763d73706631"),
        ("TXT (a ; one\n b)", "01610162"),
        ("HINFO a b", "01610162"),
        ("CAA 0 issue \"x.y\"", "0005697373756578 2e79"),
        ("URI 1 2 \"http:\"", "00010002687474703a"),
        ("NAPTR 1 2 u s \"\" .", "00010002017501730000"),
        ("DS 60485 5 1 ( 2BB183AF\n 5F22 )", "ec4505012bb183af5f22"),
        ("DNSKEY 256 3 RSASHA256 AQID", "010003080 10203"),
        ("RRSIG A 8 2 300 20260101000000 1767225599 7 o. AQI=", "00010802000 0012c6955b9006955b8ff0007016f000102"),
        (
            "NSEC b A RRSIG NSEC TYPE1234",
            "0162016f00000640000000000304 1b000000000000000000000000000000000000000000000000000020",
        ),
        ("TLSA 3 1 1 0aFF", "0301010aff"),
        ("SSHFP 1 2 00", "010200"),
        ("CERT PKIX 1 8 AQI=", "00010001080102"),
        ("EUI48 00-00-5e-00-53-2a", "00005e00532a"),
        ("CSYNC 66 3 A", "000000420003000140"),
        ("RP a b.", "0161016f00016200"),
        (r"TYPE731 \# 3 aB cd01", "abcd01"),
        (r"A \# 4 c0000201", "c0000201"),
        (r"TYPE731 \# 0", ""),
        ("HTTPS 0 web.", "00000377656200"),
        (
            "SVCB 1 . alpn=\"h2,h3\" port=853 ipv4hint=192.0.2.1 mandatory=port,alpn key667=ab no-default-alpn",
            "0001000000000400010003000100060268320268330002000000030002035500040004c0000201029b00026162",
        ),
    ] {
        assert_eq!(rdata(text), octets.replace(' ', ""), "{text}");
    }
}

#[test]
fn a_mistake_has_a_line_and_a_reason() {
    for (text, place, reason) in [
        ("a 1 A 192.0.2", "db:1", "`192.0.2` is no IPv4"),
        ("\n\na 1 AA 192.0.2.1", "db:3", "`AA` is no type"),
        ("a 1 A 192.0.2.1 x", "db:1", "unexpected `x`"),
        ("a 1 MX 10", "db:1", "MX needs more words"),
        ("a A 192.0.2.1", "db:1", "without a TTL"),
        ("  1 A 192.0.2.1", "db:1", "without an owner"),
        ("a 1", "db:1", "without a type"),
        ("a 1 CH TXT x", "db:1", "only IN"),
        ("a..b 1 A 192.0.2.1", "db:1", "label is empty"),
        ("a 1 TXT ( x\n y", "db:1", "never closed"),
        ("a 1 TXT x )", "db:1", "not opened"),
        ("a 1 TXT ((x))", "db:1", "inside parentheses"),
        ("a 1 TXT x\na 1 TXT \"x\n", "db:2", "quote that is never closed"),
        ("a 1 TXT (\n x\n) \n b 1 A\n", "db:4", "`b` is no type"),
        (r"a 1 TXT \300", "db:1", "wrong escape"),
        ("$TTL", "db:1", "$TTL SECONDS"),
        ("$TTL x", "db:1", "no TTL"),
        ("$ORIGIN", "db:1", "$ORIGIN NAME"),
        ("$DATE 1", "db:1", "`$DATE` is not known"),
        ("$GENERATE 2-1 a A 192.0.2.$", "db:1", "no range"),
        ("$GENERATE 1-2/0 a A 192.0.2.$", "db:1", "no range"),
        ("$GENERATE 1 a A 192.0.2.$", "db:1", "no range"),
        ("$GENERATE 0-65536 a A 192.0.2.$", "db:1", "65535 steps"),
        ("$GENERATE 1-2", "db:1", "without an owner"),
        ("\n$GENERATE 254-256 a$ A 192.0.2.$", "db:2", "`192.0.2.256` is no IPv4"),
        ("$GENERATE 1-2 a${-2} A 192.0.2.$", "db:1", "leads out"),
        ("$GENERATE 1-2 a${0,1,z} A 192.0.2.$", "db:1", "no modifier"),
        ("$GENERATE 1-2 a${0 A 192.0.2.$", "db:1", "never closed"),
        ("$INCLUDE /nonexistent/zone", "db:1", "/nonexistent/zone: No such file"),
        ("a 1 DS 1 8 1 xyz", "db:1", "not hexadecimal"),
        ("a 1 DNSKEY 1 3 8 ???", "db:1", "no base64"),
        ("a 1 LOC 1 2 3", "db:1", r"LOC \# LENGTH"),
        (r"a 1 TYPE900 \# 2 00", "db:1", "1 octets where 2 are announced"),
        (r"a 1 MX \# 3 000a00", "db:1", "write its words"),
        ("a 1 SVCB 1 . port=x", "db:1", "`x` is no number"),
        ("a 1 SVCB 1 . colour=red", "db:1", "`colour` is no key"),
        ("a 1 RRSIG A 8 2 300 20261301000000 1 7 o. AQI=", "db:1", "no moment"),
    ] {
        let said = all(text).unwrap_err();
        assert!(said.starts_with(&format!("{place}: ")) && said.contains(reason), "{text}\n{said}");
    }
    let long = format!("a 1 TXT {}", "x".repeat(256));
    assert!(all(&long).unwrap_err().contains("256 octets"));
    let long = format!("{} 1 A 192.0.2.1", "x.".repeat(126));
    assert!(all(&long.replace(". 1", " 1")).unwrap_err().contains("longer than 255"));
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
        let read = read(&path, &octets, &origin, &mut |one: Parsed| {
            owners.push(one.owner.to_string());
            Ok(())
        });
        read.map(|()| owners).map_err(|bad| bad.to_string())
    };
    let expected = ["a.in.example.org.", "c.x.", "b.example.org.", "a.example.org.", "c.x."];
    assert_eq!(read_all("db").unwrap(), expected);
    write("sub/two", "c A 192.0.2\n");
    assert!(read_all("db").unwrap_err().contains("two:1: A: `192.0.2` is no IPv4"));
    write("loop", "$INCLUDE loop\n");
    assert!(read_all("loop").unwrap_err().contains("more than 7 deep"));
    write("dir", "$INCLUDE sub\n");
    assert!(read_all("dir").unwrap_err().contains("no file"));
}
