//! The mail hosts: do their names, addresses and reverse names lead to one another?

use mailzone_mailauth::{Finding, Severity};

use crate::group::MANY;
use crate::style::{Label, Line, Page};
use crate::text::table::{Align, Table};
use crate::text::{TextOptions, count, plan, remark, some_of};
use crate::view::VerifiedHost;

/// A heading a host, a row an address. Many hosts that are as they should be share a line.
pub(super) fn show(page: &mut Page, rows: &[VerifiedHost], options: &TextOptions) {
    let hosts: Vec<&[VerifiedHost]> = rows.chunk_by(|a, b| a.host == b.host).collect();
    let plain = |rows: &&&[VerifiedHost]| rows.iter().all(|row| label(row) == Label::Good);
    let fold = !options.full && hosts.iter().filter(plain).count() >= MANY;
    for rows in hosts.iter().filter(|rows| !(fold && plain(rows))) {
        page.gap();
        show_host(page, rows, options);
    }
    if fold {
        let names: Vec<&str> = hosts.iter().filter(plain).filter_map(|rows| rows.first()).map(|r| &*r.host).collect();
        page.gap();
        let line = Line::new(0).put(Label::Good, format!("Confirmed: {}", count(names.len(), "host")));
        page.line(&line.plain(format!(" with addresses and reverse names: {}", some_of(&names, 3))));
    }
}

fn show_host(page: &mut Page, rows: &[VerifiedHost], options: &TextOptions) {
    let Some(first) = rows.first() else { return };
    let line = Line::new(0).plain("Host ").put(Label::Heading, &first.host);
    let helo = match &first.helo_resolves {
        _ if first.helo == first.host => String::new(),
        None => format!(", in HELO {}, whose addresses are not known", first.helo),
        Some(none) if none.is_empty() => format!(", in HELO {}, which has no address", first.helo),
        Some(some) => format!(", in HELO {} ({})", first.helo, some_of(some, 4)),
    };
    page.line(&line.plain(helo));
    let columns = ["address", "of the host", "reverse name", "leads back"];
    let mut table = Table::new(&columns.map(|column| (column, Align::Left)));
    for row in rows {
        let label = label(row);
        let mark = match label {
            Label::Good => "+",
            Label::Error => "-",
            _ => "~",
        };
        let address = row.address.clone().unwrap_or_else(|| "none".into());
        let (names, back) = match (row.ptr.as_slice(), row.confirmed) {
            _ if row.address.is_none() => ("-".into(), "-"),
            ([], None) => ("not known".into(), "-"),
            ([], Some(_)) => ("none".into(), "-"),
            (names, back) => (some_of(names, 3), known(back)),
        };
        table.row(label, mark, vec![address, known(row.resolves).into(), names, back.into()]);
    }
    table.show(page);
    let mut findings: Vec<&Finding> = rows.iter().flat_map(|row| &row.findings).collect();
    findings.sort();
    findings.dedup();
    plan::few(page, &findings, options, |page, finding| remark::finding(page, finding, 2, &str::to_owned));
}

fn known(state: Option<bool>) -> &'static str {
    match state {
        Some(true) => "yes",
        Some(false) => "no",
        None => "not known",
    }
}

fn label(row: &VerifiedHost) -> Label {
    let broken = row.findings.iter().any(|finding| finding.severity == Severity::Error);
    match (row.resolves, row.confirmed) {
        _ if broken => Label::Error,
        (Some(true), Some(true)) if row.findings.is_empty() => Label::Good,
        _ => Label::Warning,
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use mailzone_mailauth::{Finding, Severity};

    use crate::text::{TextOptions, verify};
    use crate::view::{Verification, VerifiedHost};

    fn host(name: &str, address: &str) -> VerifiedHost {
        VerifiedHost {
            host: name.into(),
            address: Some(address.into()),
            resolves: Some(true),
            ptr: vec![name.into()],
            confirmed: Some(true),
            helo: name.into(),
            helo_resolves: Some(vec![address.into()]),
            findings: Vec::new(),
        }
    }

    fn show(hosts: Vec<VerifiedHost>) -> String {
        let text = verify(&Verification { domains: Vec::new(), hosts }, &TextOptions::default());
        text.split_once("\n\n").unwrap().1.to_owned()
    }

    #[test]
    fn each_state() {
        let good = host("a.example", "192.0.2.1");
        let good = VerifiedHost { helo: "b.example".into(), ..good };
        let wrong = VerifiedHost {
            ptr: vec!["b.example".into(), "c.example".into()],
            confirmed: Some(false),
            resolves: Some(false),
            helo: "b.example".into(),
            findings: vec![Finding::new("PTR-02", Severity::Error, "a.example", "leads elsewhere", "set it", "RFC 1")],
            ..host("a.example", "192.0.2.2")
        };
        let none = VerifiedHost { ptr: Vec::new(), confirmed: Some(false), ..host("b.example", "192.0.2.3") };
        let unknown = VerifiedHost {
            ptr: Vec::new(),
            confirmed: None,
            resolves: None,
            helo: "x.example".into(),
            helo_resolves: None,
            ..host("c.example", "192.0.2.4")
        };
        let half = VerifiedHost {
            confirmed: None,
            helo: "y.example".into(),
            helo_resolves: Some(Vec::new()),
            ..host("d.example", "2001:db8::5")
        };
        let nothing = VerifiedHost {
            address: None,
            ptr: Vec::new(),
            confirmed: None,
            resolves: Some(false),
            ..host("e.example", "")
        };
        assert_snapshot!(show(vec![good, wrong, none, unknown, half, nothing]), @r"
        Host a.example, in HELO b.example (192.0.2.1)
            address    of the host  reverse name          leads back
          + 192.0.2.1  yes          a.example             yes
          - 192.0.2.2  no           b.example, c.example  no
          error PTR-02 at a.example: leads elsewhere (RFC 1)
              help: set it

        Host b.example
            address    of the host  reverse name  leads back
          ~ 192.0.2.3  yes          none          -

        Host c.example, in HELO x.example, whose addresses are not known
            address    of the host  reverse name  leads back
          ~ 192.0.2.4  not known    not known     -

        Host d.example, in HELO y.example, which has no address
            address      of the host  reverse name  leads back
          ~ 2001:db8::5  yes          d.example     not known

        Host e.example
            address  of the host  reverse name  leads back
          ~ none     no           -             -
        ");
    }

    #[test]
    fn many_are_one_line() {
        let hosts = (1..6).map(|at| host(&format!("h{at}.example"), &format!("192.0.2.{at}")));
        assert_snapshot!(show(hosts.collect()), @"Confirmed: 5 hosts with addresses and reverse names: h1.example, h2.example, h3.example and 2 more");
    }
}
