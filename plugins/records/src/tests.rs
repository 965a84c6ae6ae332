//! Texts and the records that they are, or why they are none.

use contract::wire::{Class, RecordType};
use data_encoding::HEXLOWER;

use super::{Lexer, Record, Word, names, rdata};

/// A text's words.
fn words(text: &str) -> Vec<Word> {
    Lexer::new(text.as_bytes()).entry().unwrap_or_else(|wrong| panic!("{text}: {wrong}")).unwrap().words
}

/// The data of `TYPE DATA`, with names below `o.`.
fn data(text: &str) -> Result<(RecordType, Vec<u8>), String> {
    let words = words(text);
    let rtype = super::mnemonics::record_type(words[0].text().unwrap()).unwrap();
    rdata(rtype, &words[1..], b"\x01o\0").map(|rdata| (rtype, rdata))
}

/// Type and data; the data in hexadecimal digits, where blanks are for the eye.
#[rustfmt::skip]
const DATA: &[(&str, &str)] = &[
    ("A 192.0.2.1", "c0000201"),
    (r"A \# 4 c0000201", "c0000201"),
    ("AAAA 2001:db8::1", "20010db8 00000000 00000000 00000001"),
    ("AAAA ::ffff:192.0.2.1", "00000000 00000000 0000ffff c0000201"),
    ("NS Ns", "024e73 016f 00"),
    ("CNAME Web", "03576562 016f 00"),
    ("CNAME @", "016f 00"),
    ("CNAME .", "00"),
    (r"PTR \097\.X.b.", "03612e58 0162 00"),
    ("DNAME b.", "0162 00"),
    ("MB b.", "0162 00"),
    ("MG b.", "0162 00"),
    ("MR b.", "0162 00"),
    ("MD b.", "0162 00"),
    ("MF b.", "0162 00"),
    ("MX 10 a.", "000a 0161 00"),
    (r"MX \# 5 000a 016100", "000a 0161 00"),
    ("AFSDB 1 a.", "0001 0161 00"),
    ("KX 1 a.", "0001 0161 00"),
    ("RP a b.", "0161 016f 00 0162 00"),
    ("MINFO a. b.", "0161 00 0162 00"),
    ("SRV 1 2 53 Ns", "0001 0002 0035 024e73 016f 00"),
    ("SOA a. b. (1 1m 1h\n 1d 1w)", "0161 00 0162 00 00000001 0000003c 00000e10 00015180 00093a80"),
    ("TXT (a ; one\n b)", "0161 0162"),
    ("TXT ((a) \"(\")", "0161 0128"),
    (r#"TXT a "b c" "d\"\100" e\;f """#, "0161 03622063 03642264 03653b66 00"),
    ("TXT \"a\nb\"", "03610a62"),
    ("SPF v=spf1", "06763d73706631"),
    ("HINFO a b", "0161 0162"),
    ("HINFO \"b c d\"", "0162 03632064"),
    ("HINFO b", "0162 00"),
    (r#"NAPTR 1 2 "u" "" "!^.*$!b!" ."#, "0001 0002 0175 00 08215e2e2a24216221 00"),
    ("CAA 0 issue \"x.y\"", "00 056973737565 782e79"),
    ("URI 1 2 \"http:\"", "0001 0002 687474703a"),
    ("DS 60485 5 1 ( 2BB183AF\n 5f22 )", "ec45 05 01 2bb183af5f22"),
    ("CDS 1 RSASHA256 2 ab", "0001 08 02 ab"),
    ("DNSKEY 256 3 RSASHA256 AQID", "0100 03 08 010203"),
    ("CDNSKEY 0 3 0 AA==", "0000 03 00 00"),
    ("KEY 256 3 8 AQ ID", "0100 03 08 010203"),
    ("RRSIG A 8 2 300 20260101000000 1767225599 7 O. AQI=", "0001 08 02 0000012c 6955b900 6955b8ff 0007 014f 00 0102"),
    ("SIG NS 8 2 1 20000229120000 0 7 . AQI=", "0002 08 02 00000001 38bbb4c0 00000000 0007 00 0102"),
    ("NSEC b A RRSIG NSEC TYPE1234", "0162 016f 00 0006 400000000003 041b 000000000000000000000000000000000000000000000000000020"),
    ("CSYNC 66 3 A", "00000042 0003 0001 40"),
    ("TLSA 3 1 1 0aFF", "03 01 01 0aff"),
    ("SMIMEA 3 1 1 0a ff", "03 01 01 0aff"),
    ("SSHFP 1 2 00", "01 02 00"),
    ("CERT PKIX 1 8 AQI=", "0001 0001 08 0102"),
    ("CERT 65534 1 ED25519 AQI=", "fffe 0001 0f 0102"),
    ("OPENPGPKEY AQ I=", "0102"),
    ("DHCID AQI=", "0102"),
    ("ZONEMD 1 1 1 00ff", "00000001 01 01 00ff"),
    ("NSEC3PARAM 1 0 5 -", "01 00 0005 00"),
    ("NSEC3PARAM 1 0 5 aBcD", "01 00 0005 02abcd"),
    ("EUI48 00-00-5e-00-53-2a", "00005e00532a"),
    ("EUI64 00-00-5e-ef-10-00-00-2A", "00005eef1000002a"),
    ("X25 \\# 2 0131", "0131"),
    (r"TYPE731 \# 3 aB cd01", "abcd01"),
    (r"TYPE731 \# 0", ""),
    ("HTTPS 0 Web.", "0000 03576562 00"),
    (r"HTTPS \# 3 0001 00", "0001 00"),
    // RFC 9460 D.1, D.2
    ("SVCB 0 foo.example.com.", "0000 03666f6f 076578616d706c65 03636f6d 00"),
    ("SVCB 1 .", "0001 00"),
    ("SVCB 16 foo. port=53", "0010 03666f6f 00 0003 0002 0035"),
    ("SVCB 1 foo. key667=hello", "0001 03666f6f 00 029b 0005 68656c6c6f"),
    (r#"SVCB 1 foo. key667="hello\210qoo""#, "0001 03666f6f 00 029b 0009 68656c6c6fd2716f6f"),
    (r#"SVCB 1 foo. ipv6hint="2001:db8::1,2001:db8::53:1""#,
        "0001 03666f6f 00 0006 0020 20010db8000000000000000000000001 20010db8000000000000000000530001"),
    ("SVCB 16 foo. alpn=h2,h3-19 mandatory=ipv4hint,alpn ipv4hint=192.0.2.1",
        "0010 03666f6f 00 0000 0004 0001 0004 0001 0009 026832 0568332d3139 0004 0004 c0000201"),
    (r#"SVCB 16 foo. alpn="f\\\\oo\\,bar,h2""#, "0010 03666f6f 00 0001 000c 08665c6f6f2c626172 026832"),
    (r"SVCB 16 foo. alpn=f\\\092oo\092,bar,h2", "0010 03666f6f 00 0001 000c 08665c6f6f2c626172 026832"),
    ("HTTPS 1 . no-default-alpn alpn=\"h3\" ech=AQI= dohpath=/q{?dns} ohttp",
        "0001 00 0001 0003 026833 0002 0000 0005 0002 0102 0007 0008 2f717b3f646e737d 0008 0000"),
];

#[test]
fn each_type_has_its_wire_form() {
    for (text, expected) in DATA {
        let (rtype, data) = data(text).unwrap_or_else(|reason| panic!("{text}: {reason}"));
        assert_eq!(HEXLOWER.encode(&data), expected.replace(' ', ""), "{text}");
        assert!(names(rtype, &data).is_some(), "{text}");
        // RFC 3597 5: the same data in the form that fits all types
        let general = format!("{rtype} \\# {} {}", data.len(), HEXLOWER.encode(&data));
        assert_eq!(self::data(&general), Ok((rtype, data)), "{text}");
    }
}

#[test]
fn what_is_no_data_says_why() {
    for (text, said) in [
        ("A", "A: there is no data"),
        ("A 192.0.2", "A: `192.0.2` is not an IPv4 address"),
        ("A ::1", "A: `::1` is not an IPv4 address"),
        ("A \"192.0.2.1\"", "A: `\"192.0.2.1\"` is not an IPv4 address, since it stands in quotes"),
        ("A 192.0.2.1 x", "A: unexpected `x`"),
        ("AAAA 192.0.2.1", "AAAA: `192.0.2.1` is not an IPv6 address"),
        ("CNAME a..b", "CNAME: `a..b` is no name: a label is empty"),
        ("CNAME \"b\"", "CNAME: `\"b\"` is not a name, since it stands in quotes"),
        (r"CNAME b\25", r"CNAME: `b\25` is no name: a wrong escape"),
        ("CNAME \u{7}.\u{7}..", "CNAME: `\\u{7}.\\u{7}..` is no name: a label is empty"),
        ("MX 10", "MX: a name is missing"),
        ("MX 65536 b", "MX: `65536` is not a number up to 65535"),
        ("MX +1 b", "MX: `+1` is not a number up to 65535"),
        ("CAA 256 a b", "CAA: `256` is not a number up to 255"),
        ("SOA a b 1h 1 1 1 1", "SOA: `1h` is not a number up to 4294967295"),
        ("SOA a b 1 x 1 1 1", "SOA: `x` is not a time in seconds or such as `1h30m`"),
        ("SOA a b 1 m 1 1 1", "SOA: `m` is not a time in seconds or such as `1h30m`"),
        (r"TXT \300", r"TXT: `\300`: a wrong escape"),
        (r"TXT b\25", r"TXT: `b\25`: a wrong escape"),
        ("NAPTR 1 2 u \"\" \"\" .", "NAPTR: `u` is not a text in quotes"),
        ("DS 1 8 2 abc", "DS: `abc` is not an even number of hexadecimal digits"),
        ("DS 1 8 2", "DS: an even number of hexadecimal digits is missing"),
        ("DS 1 RSA 2 ab", "DS: `RSA` is not an algorithm of DNSSEC"),
        ("CERT X 1 8 AQI=", "CERT: `X` is not a type of certificates"),
        ("DNSKEY 1 3 8 ???", "DNSKEY: `???` is not base64"),
        ("NSEC a B", "NSEC: `B` is not a type of records"),
        (
            "RRSIG A 8 2 300 20261301000000 1 7 o. AQI=",
            "RRSIG: `20261301000000` is not a moment such as `20261231235959`",
        ),
        ("EUI48 00-00-5e-00-53", "EUI48: `00-00-5e-00-53` is not octets such as `00-00-5e-00-53-2a`"),
        ("EUI48 +0-00-5e-00-53-2a", "EUI48: `+0-00-5e-00-53-2a` is not octets such as `00-00-5e-00-53-2a`"),
        ("LOC 1 2 3", r"LOC: only the form `LOC \# LENGTH HEXADECIMAL` is read"),
        ("TYPE65280 ab", r"TYPE65280: only the form `TYPE65280 \# LENGTH HEXADECIMAL` is read"),
        (r"TYPE900 \#", r"TYPE900: a length is missing behind `\#`"),
        (r"TYPE900 \# x", "TYPE900: `x` is not a length"),
        (r"TYPE900 \# 2 00", "TYPE900: 1 octets where 2 are announced"),
        (r"A \# 3 000000", "A: these octets are no data of A"),
        (r"MX \# 4 000a c000", "MX: these octets are no data of MX"),
        (r"MX \# 4 000a 0161", "MX: these octets are no data of MX"),
        (r"TXT \# 2 0261", "TXT: these octets are no data of TXT"),
        ("HTTPS x .", "HTTPS: `x` is not a number up to 65535"),
        ("SVCB 1 . port", "SVCB: `port`: `` is not a port"),
        ("SVCB 1 . port=x", "SVCB: `port`: `x` is not a port"),
        ("SVCB 1 . colour=red", "SVCB: `colour` is no key of a service"),
        ("SVCB 1 . \"port=1\"", "SVCB: `\"port=1\"` is no key of a service"),
        ("SVCB 1 . key1=a key1=b", "SVCB: `key1` stands twice"),
        ("SVCB 1 . mandatory=x", "SVCB: `mandatory`: `x` is no key of a service"),
        ("SVCB 1 . alpn", "SVCB: `alpn`: `` is not a list of protocols"),
        (r"SVCB 1 . alpn=a\\b", r"SVCB: `alpn`: `a\\b` is not a list of protocols"),
        ("SVCB 1 . no-default-alpn=x", "SVCB: `no-default-alpn`: it has no value"),
        ("SVCB 1 . ipv4hint=::1", "SVCB: `ipv4hint`: `::1` is not a list of IPv4 addresses"),
        ("SVCB 1 . ipv6hint", "SVCB: `ipv6hint`: `` is not a list of IPv6 addresses"),
        ("SVCB 1 . ech=?", "SVCB: `ech`: `?` is not base64"),
    ] {
        assert_eq!(data(text), Err(said.to_owned()), "{text}");
    }
    let long = |kind: &str, text: String| data(&format!("{kind} {text}")).unwrap_err();
    assert_eq!(long("CAA 0", format!("{} x", "x".repeat(256))), "CAA: a text of 256 octets, more than 255");
    assert!(long("NS", "x".repeat(64)).ends_with("a label is longer than 63 octets"));
    assert!(long("NS", "x.".repeat(128)).ends_with("the name is longer than 255 octets"));
    assert_eq!(long("TXT", "xxxxxxxxxxxxxxx ".repeat(4_096)), "TXT: longer than 65535 octets");
}

#[test]
fn a_long_text_is_cut_and_names_are_found() {
    let (_, text) = data(&format!("TXT {}", "x".repeat(300))).unwrap();
    assert_eq!((text[0], text[256], text.len()), (255, 45, 302));
    assert_eq!(names(RecordType::SOA, &data("SOA a b. 1 2 3 4 5").unwrap().1), Some(vec![0..5, 5..8]));
    assert_eq!(names(RecordType::SRV, &data("SRV 1 2 3 a").unwrap().1).unwrap().first(), Some(&(6..11)));
    assert_eq!(names(RecordType::SRV, &[0; 6]), None);
    assert_eq!(names(RecordType::LOC, &[0; 6]), Some(Vec::new()));
}

#[test]
fn heads_are_read_in_any_order() {
    for (text, ttl, class, rtype) in [
        ("a. 60 IN A 192.0.2.1", 60, 1, 1),
        ("a IN 60 A 192.0.2.1", 60, 1, 1),
        ("a A 192.0.2.1 ; a comment", 3_600, 1, 1),
        ("\n\na.\t1h30m in a 192.0.2.1\r\nwhat follows is not \"read", 5_400, 1, 1),
        ("a CH AAAA ::1", 3_600, 3, 28),
        ("a ANY A 192.0.2.1", 3_600, 255, 1),
        ("a 60 class4 type1 192.0.2.1", 60, 4, 1),
        ("(a\n60)A 192.0.2.1", 60, 1, 1),
        ("a 0 NSAP-PTR \\# 1 00", 0, 1, 23),
    ] {
        let record = Record::parse(text).unwrap_or_else(|reason| panic!("{text}: {reason}"));
        assert_eq!((record.ttl, record.class, record.rtype), (ttl, Class(class), RecordType(rtype)), "{text}");
        assert_eq!(record.owner, b"\x01a\0", "{text}");
    }
    let record = Record::parse(r"Www.Example. 1 IN CNAME \065b.C").unwrap();
    assert_eq!((&record.owner[..], &record.rdata[..]), (&b"\x03Www\x07Example\0"[..], &b"\x02Ab\x01C\0"[..]));
}

#[test]
fn what_is_no_record_says_why() {
    for (text, said) in [
        ("", "there is no record"),
        ("; nothing", "there is no record"),
        (" 60 IN A 192.0.2.1", "a record begins with its owner, not with a blank"),
        ("$TTL 60", "`$TTL` is no owner of a record"),
        ("\"a\" A 192.0.2.1", "`\"a\"` is no name: it stands in quotes"),
        ("\"\" A 192.0.2.1", "`\"\"` is no name: it stands in quotes"),
        ("a..b A 192.0.2.1", "`a..b` is no name: a label is empty"),
        ("a", "a record without a type"),
        ("a 60 IN", "a record without a type"),
        ("a 60 IN B 1", "`B` is no type, class or TTL"),
        ("a 60 70 A 192.0.2.1", "`70` is no type, class or TTL"),
        ("a IN CH A 192.0.2.1", "`CH` is no type, class or TTL"),
        ("a \"A\" 192.0.2.1", "`\"A\"` is no type, class or TTL"),
        ("a Reserved 1", "`Reserved` is no type, class or TTL"),
        ("a CLASS65536 A 192.0.2.1", "`CLASS65536` is no type, class or TTL"),
        ("a 4294967296 A 192.0.2.1", "`4294967296` is no type, class or TTL"),
        ("a A", "A: there is no data"),
        ("a OPT x", r"OPT: only the form `OPT \# LENGTH HEXADECIMAL` is read"),
        ("a SOA a b (1 1 1 1 1", "a parenthesis that is never closed"),
        ("a A 192.0.2.1)", "a parenthesis that was not opened"),
        ("a TXT \"b", "a quote that is never closed"),
        (r#"a TXT "b\""#, "a quote that is never closed"),
    ] {
        assert_eq!(Record::parse(text), Err(said.to_owned()), "{text}");
    }
}

#[test]
fn entries_know_their_lines() {
    let mut lexer = Lexer::new(b"a \"x\n\\\ny\" ; b\n c (\n d\n\n)\n\n e )\n");
    let mut seen = Vec::new();
    let end = loop {
        match lexer.entry() {
            Ok(Some(entry)) => seen.push((entry.line, entry.starts_blank, entry.words.len())),
            other => break other,
        }
    };
    assert_eq!(seen, [(1, false, 2), (4, true, 2)]);
    assert_eq!(end.unwrap_err().to_string(), "9: a parenthesis that was not opened");
}
