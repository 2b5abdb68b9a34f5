//! The program with other people's name servers: BIND, Knot DNS, PowerDNS, unbound.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::daemons::{Daemon, tools, zone_files};
use crate::harness::{Project, zone_text};
use crate::settle::{apply, outcomes, plan, zone_bytes};

/// A copy of an example, whose zones `server` has loaded. It is asked for the domains; to the reverse zones, for
/// which no name servers can be configured, a walk leads that begins at it and ends there.
fn example(name: &str, server: impl Fn(&Project) -> Option<Daemon>) -> Option<(Project, Daemon)> {
    let project = Project::empty();
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name), project.root());
    for (zone, file) in zone_files(&project.path("zones")) {
        let text = std::fs::read_to_string(file).unwrap().replace("192.0.2.53", "127.0.0.1");
        let here = |line: &&str| !line.contains("ns2.example.net.") && !line.contains("2001:db8::53");
        let lines: Vec<&str> = text.lines().filter(here).collect();
        project.write(&format!("zones/{zone}.zone"), lines.join("\n") + "\n");
    }
    let daemon = server(&project)?;
    let config = project.read("mailzone.toml");
    let reload = config.lines().find(|line| line.starts_with("reload = ")).unwrap().to_owned();
    project.replace("mailzone.toml", &reload, &format!("reload = {:?}", daemon.reload));
    let asked = format!(
        "[dns]\nroots = [\"{0}\"]\nport = {1}\ntimeout = \"10s\"\n[latency]\nsamples = 3\nbudget = \"10s\"\n\
         [propagation]\ntimeout = \"60s\"\n[defaults]\nnameservers = [\"{0}\"]\n",
        daemon.address,
        daemon.address.port()
    );
    project.replace("mailzone.toml", "[defaults]\n", &asked);
    Some((project, daemon))
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

/// What the server serves of the zone, a record a line, sorted.
fn served(dig: &Path, server: &Daemon, zone: &str) -> BTreeSet<String> {
    let (at, port) = (format!("@{}", server.address.ip()), server.address.port().to_string());
    let mut command = Command::new(dig);
    command.args(["-r", &at, "-p", &port, zone, "AXFR", "+onesoa", "+noall", "+answer", "+time=20", "+nosplit"]);
    records(command)
}

/// What BIND reads in a zone file, in the same form.
fn read_by_bind(compile: &Path, zone: &str, file: &Path) -> BTreeSet<String> {
    let mut command = Command::new(compile);
    command.args(["-q", "-i", "none", "-k", "ignore", "-s", "full", "-o", "-", zone]).arg(file);
    records(command)
}

fn records(mut command: Command) -> BTreeSet<String> {
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{command:?}:\n{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with(';'));
    let lines: BTreeSet<String> = lines.map(one_form).collect();
    assert!(!lines.is_empty(), "{command:?} shows no record");
    lines
}

/// A record's line with single blanks before the data, and hexadecimal data in one piece.
fn one_form(line: &str) -> String {
    let mut data = line;
    let [owner, ttl, class, rtype] = [(); 4].map(|()| {
        let (word, rest) = data.trim_start().split_once(char::is_whitespace).unwrap();
        data = rest;
        word
    });
    let data = data.trim();
    let data = match rtype {
        "TLSA" => {
            let mut parts = data.splitn(4, ' ');
            let numbers: Vec<&str> = parts.by_ref().take(3).collect();
            format!("{} {}", numbers.join(" "), parts.collect::<String>().replace(' ', ""))
        }
        _ => data.to_owned(),
    };
    format!("{owner} {ttl} {class} {rtype} {data}")
}

/// The serial of the SOA record among them.
fn serial(records: &BTreeSet<String>) -> u32 {
    let soa = records.iter().find(|line| line.contains(" IN SOA ")).unwrap();
    soa.split(' ').nth(6).unwrap().parse().unwrap()
}

/// Applies the example's plan; each zone is served with what the plan said and with nothing else changed.
fn applied_and_served(example: &Project, server: &Daemon, dig: &Path) -> Value {
    let zones: Vec<String> = zone_files(&example.path("zones")).into_iter().map(|(zone, _)| zone).collect();
    let before: Vec<_> = zones.iter().map(|zone| served(dig, server, zone)).collect();
    let planned = plan(example, &[]);
    assert_eq!(planned["exit"]["code"], 0, "{planned:#}");
    let done = apply(example, 0, &[]);
    assert!(!outcomes(&done).is_empty());
    assert!(outcomes(&done).iter().all(|outcome| outcome.ends_with(": applied")), "{:#?}", outcomes(&done));
    for domain in done["verification"]["domains"].as_array().unwrap() {
        assert_eq!(domain["verdict"], "verified", "{domain:#}");
    }
    for (zone, before) in zones.iter().zip(before) {
        let now = served(dig, server, zone);
        let planned = planned["zones"].as_array().unwrap().iter().find(|planned| planned["zone"] == **zone);
        let changes = planned.map_or(&[][..], |planned| planned["changes"].as_array().unwrap());
        let of = |line: &String| {
            let words: Vec<&str> = line.split(' ').collect();
            changes.iter().find(|change| change["name"] == words[0].to_lowercase() && change["type"] == words[3])
        };
        // Whatever the plan does not name is what it was.
        let foreign = |records: &BTreeSet<String>| -> BTreeSet<String> {
            records.iter().filter(|line| of(line).is_none() && !line.contains(" IN SOA ")).cloned().collect()
        };
        assert_eq!(foreign(&before), foreign(&now), "{zone}");
        // And what it names has as many values as it said, the foreign ones as they were.
        for change in changes {
            let here = |records: &BTreeSet<String>| -> Vec<String> {
                records.iter().filter(|line| of(line) == Some(change)).cloned().collect()
            };
            let wanted = change["after"]["values"].as_array().map_or(0, Vec::len);
            assert_eq!(here(&now).len(), wanted, "{change:#}");
            let kept = change["kept"].as_array().unwrap().len();
            assert!(here(&before).iter().filter(|line| here(&now).contains(line)).count() >= kept, "{change:#}");
        }
        assert_eq!(serial(&now) > serial(&before), !changes.is_empty(), "{zone}");
    }
    example.run_to(0, ["plan", "--detailed-exitcode"]);
    done
}

/// The latency of one domain's server is a measured one.
fn measured(example: &Project, server: &Daemon, domain: &str) {
    let measured = example.run_to(0, ["latency", domain, "--format", "json"]).json();
    let servers = measured["servers"].as_array().unwrap();
    for transport in ["udp", "tcp"] {
        let row = servers.iter().find(|row| row["transport"] == transport).unwrap();
        assert_eq!(row["address"], server.address.to_string(), "{row:#}");
        assert_eq!((&row["sent"], &row["received"]), (&Value::from(3), &Value::from(3)), "{row:#}");
        assert!(row["median_ms"].as_f64().unwrap() > 0.0, "{row:#}");
    }
}

#[test]
fn bind_serves_what_was_applied() {
    let Some([dig, compile]) = tools(["dig", "named-compilezone"]) else { return };
    let Some((project, bind)) = example("bind", |project| Daemon::bind(&zone_files(&project.path("zones")))) else {
        return;
    };
    let before = read_by_bind(&compile, "example.com", &project.path("zones/example.com.zone"));
    let done = applied_and_served(&project, &bind, &dig);
    // The policy and the PTR records went out after what they rely on.
    let zones = done["zones"].as_array().unwrap();
    let changes: Vec<&Value> = zones.iter().flat_map(|zone| zone["changes"].as_array().unwrap()).collect();
    let later = changes.iter().filter(|change| change["stage"] == 2).map(|change| change["name"].as_str().unwrap());
    insta::assert_snapshot!(later.collect::<Vec<_>>().join("\n"), @r"
    25.2.0.192.in-addr.arpa.
    5.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.
    _dmarc.example.com.
    ");
    // BIND itself, on the files: the same as it serves, and these lines are gone.
    for (zone, file) in zone_files(&project.path("zones")) {
        assert_eq!(read_by_bind(&compile, &zone, &file), served(&dig, &bind, &zone));
    }
    let after = read_by_bind(&compile, "example.com", &project.path("zones/example.com.zone"));
    insta::assert_snapshot!(before.difference(&after).cloned().collect::<Vec<_>>().join("\n"), @r#"
    _dmarc.example.com. 86400 IN TXT "v=DMARC1; p=none; rua=mailto:dmarc-reports@example.com"
    example.com. 86400 IN SOA ns1.example.com. hostmaster.example.com. 2026030201 14400 3600 1209600 300
    example.com. 86400 IN TXT "v=spf1 mx ~all"
    mail.example.com. 86400 IN A 192.0.2.25
    "#);
    measured(&project, &bind, "example.com");
}

#[test]
fn knot_serves_what_was_applied() {
    let Some([dig]) = tools(["dig"]) else { return };
    let Some((project, knot)) = example("hosting", |project| Daemon::knot(&zone_files(&project.path("zones")))) else {
        return;
    };
    let done = applied_and_served(&project, &knot, &dig);
    assert!(outcomes(&done).len() > 100);
    measured(&project, &knot, "bakery.example");
}

#[test]
fn powerdns_serves_what_was_applied() {
    let Some([dig]) = tools(["dig"]) else { return };
    let server = |project: &Project| Daemon::powerdns(&zone_files(&project.path("zones")));
    let Some((project, powerdns)) = example("bind", server) else { return };
    applied_and_served(&project, &powerdns, &dig);
    measured(&project, &powerdns, "example.org");
}

/// A root server (BIND), one for `test.` below it, and one for the zones below that (Knot), each at an address of
/// its own. `moved.test` is delegated elsewhere.
fn delegated(project: &Project) -> Option<[Daemon; 3]> {
    let soa = "@ SOA ns. hostmaster. 1 7200 3600 1209600 300";
    let root = "@ NS ns.\nns A 127.0.0.1\ntest NS ns.test.\nns.test A 127.0.0.2\n";
    project.write("root/root.zone", format!("$ORIGIN .\n$TTL 60\n{soa}\n{root}"));
    let cuts = "example NS ns1.example\nns1.example A 127.0.0.3\nmoved NS ns.hoster\nns.hoster A 127.0.0.2\n";
    project.write("tld/test.zone", format!("$ORIGIN test.\n$TTL 60\n{soa}\n@ NS ns\nns A 127.0.0.2\n{cuts}"));
    for zone in ["example.test", "moved.test"] {
        let text = zone_text(zone, &["@ TXT \"a token\""]).replace("127.0.0.1", "127.0.0.3");
        project.write(&format!("zones/{zone}.zone"), text);
    }
    let [root, tld, zones] = ["root", "tld", "zones"].map(|directory| zone_files(&project.path(directory)));
    let root = Daemon::bind(&root)?;
    let port = root.address.port();
    let tld = Daemon::knot_at(SocketAddr::from(([127, 0, 0, 2], port)), &tld)?;
    let zones = Daemon::knot_at(SocketAddr::from(([127, 0, 0, 3], port)), &zones)?;
    let config = format!(
        "[providers.files]\ntype = \"zonefile\"\ndirectory = \"zones\"\nreload = {reload:?}\n\
         [dns]\nroots = [\"127.0.0.1:{port}\"]\nport = {port}\nresolvers = [\"127.0.0.3:{port}\"]\ntimeout = \"10s\"\n\
         [latency]\nsamples = 1\n[defaults]\nprovider = \"files\"\nspf = \"v=spf1 -all\"\n\
         dmarc = {{ policy = \"quarantine\", rua = [\"mailto:d@example.test\"] }}\n\
         [domains.\"example.test\"]\nmail = \"none\"\n",
        reload = zones.reload,
    );
    project.write("mailzone.toml", config);
    Some([root, tld, zones])
}

#[test]
fn the_way_down_from_the_root_is_found() {
    let project = Project::empty();
    let Some([_root, _tld, zones]) = delegated(&project) else { return };
    let done = apply(&project, 0, &[]);
    assert_eq!(outcomes(&done), ["example.test. TXT: applied", "_dmarc.example.test. TXT: applied"]);
    let domain = &done["verification"]["domains"][0];
    assert_eq!(domain["verdict"], "verified", "{domain:#}");
    let asked: BTreeSet<String> = servers(domain)
        .map(|server| format!("{} {} {}", server["server"], server["address"], server["state"]))
        .collect();
    let expected = format!("\"ns1.example.test.\" \"{}\" \"current\"", zones.address);
    assert_eq!(asked, BTreeSet::from([expected]));
    project.run_to(0, ["verify"]);
}

#[test]
fn a_zone_that_the_parent_does_not_lead_to_is_not_live() {
    let project = Project::empty();
    let Some(_servers) = delegated(&project) else { return };
    project.replace("mailzone.toml", "[domains.\"example.test\"]", "[domains.\"moved.test\"]");
    let done = apply(&project, 3, &["--wait", "authoritative"]);
    let domain = &done["verification"]["domains"][0];
    assert_eq!(domain["verdict"], "not_live", "{domain:#}");
    assert!(servers(domain).all(|server| server["server"] == "ns1.moved.test."), "{domain:#}");
    assert!(domain["records"].as_array().unwrap().iter().all(|record| record["resolvers"] == Value::Array(Vec::new())));
}

fn servers(domain: &Value) -> impl Iterator<Item = &Value> {
    let records = domain["records"].as_array().unwrap().iter();
    records.flat_map(|record| record["servers"].as_array().unwrap())
}

/// Zones as people write them, and what is wanted in them.
fn messy() -> Vec<(&'static str, Vec<u8>, String)> {
    let soa = "SOA ns1 hostmaster 17 7200 3600 1209600 300";
    let head = format!("$ORIGIN example.test.\n$TTL 3600\n@ {soa}\n@ NS ns1\nns1 A 127.0.0.1\n");
    let key = format!(
        "v=DKIM1; k=rsa; p={}",
        "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDOnA6hpZR0J5mqXLZGwMV9VreUuoLzpgOROioMKzyoPptQrmPjvA1fFE1FURlevavmlOoCtV++ct5d14B/JtmfkZoDaR/cTNHqvrvsPThZwPyvBwB1Br1WLdDWVSMb6HieJWv1BKUuxsYlTUvMlU2sulucH/F6XBO7AQiW/1Ku4wIDAQAB"
    );
    let spf = "spf = \"v=spf1 mx -all\"\n".to_owned();
    let all = format!(
        "{spf}dmarc = {{ policy = \"none\" }}\ncaa = {{ issue = [\"ca.example; a=b\"], issuewild = [\";\"] }}\n"
    );
    vec![
        ("a long key", head.clone().into_bytes(), format!("dkim.s1 = {{ txt = \"{key}; n={}\" }}\n", "long".repeat(60))),
        (
            "quotes, backslashes, semicolons",
            format!("{head}@ TXT \"v=spf1 ~all\"\n  TXT \"say \\\"hi\\\"; a \\\\ and \\059\" ; \"v=spf1\n  TXT a\\;b\n").into_bytes(),
            all.clone(),
        ),
        ("non-ASCII", [head.as_bytes(), b"@ TXT \"gr\xc3\xbc\xc3\x9fe \xff\" ; gr\xfc\xdfe\n  TXT \"\\195\\188\"\n"].concat(), all.clone()),
        ("CRLF", format!("{head}@ TXT \"v=spf1 ~all\"\n  TXT \"token\"\n").replace('\n', "\r\n").into_bytes(), all.clone()),
        ("no final line end", format!("{head}@ TXT \"v=spf1 ~all\"").into_bytes(), all.clone()),
        ("no $TTL", format!("@ 1h IN {soa}\n NS ns1\nns1 2h A 127.0.0.1\n@ 5m TXT \"v=spf1 ~all\"\n TXT token\n").into_bytes(), all.clone()),
        (
            "parentheses",
            b"$TTL 1h\n@ SOA ns1 hostmaster ( 17 ; serial\n 7200 3600\n 1209600 300 )\n ( NS\n ns1 )\nns1 A ( 127.0.0.1\n )\n@ TXT ( \"v=spf1\"\n \" ~all\" ) ; ours\n TXT ( \"token )\" ; not the end\n \"(\" )\nwww A 192.0.2.1\n".to_vec(),
            all.clone(),
        ),
        (
            "origins and inherited owners",
            format!("{head}$ORIGIN sub\n@ A 192.0.2.1\n TXT \"v=spf1 ~all\"\n$TTL 5\n$ORIGIN example.test.\n\tTXT below\n@ 60 IN TXT \"v=spf1 ?all\"\n IN 60 TXT token\n").into_bytes(),
            all,
        ),
    ]
}

#[test]
fn bind_and_knot_accept_every_file_that_was_written() {
    let checkers = [tools(["named-checkzone"]), tools(["knotc"])];
    let compile = tools(["named-compilezone"]);
    for (title, text, domain) in messy() {
        let project = Project::new(&format!("[domains.\"example.test\"]\n{domain}"), &[]);
        let file = project.path("zones/example.test.zone");
        project.write("zones/example.test.zone", &text);
        let conf = format!("zone:\n  - domain: example.test\n    file: {}\n", file.display());
        project.write("knot.conf", conf);
        let check = |when: &str| {
            for [program] in checkers.iter().flatten() {
                // Knot reads none of them, before as after.
                let not_for_knot = ["non-ASCII", "CRLF", "origins and inherited owners"];
                if program.ends_with("knotc") && not_for_knot.contains(&title) {
                    continue;
                }
                let mut command = Command::new(program);
                if program.ends_with("knotc") {
                    command.args(["-c", "knot.conf", "zone-check", "example.test"]);
                } else {
                    command.args(["-i", "none", "-k", "ignore", "example.test"]).arg(&file);
                }
                let output = command.current_dir(project.root()).output().unwrap();
                let said = [output.stdout, output.stderr].concat();
                let (said, text) = (said.escape_ascii(), zone_bytes(&project, "example.test"));
                assert!(output.status.success(), "{title}, {when}: {command:?}: {said}\n{}", text.escape_ascii());
            }
        };
        let read = || compile.as_ref().map(|[compile]| read_by_bind(compile, "example.test", &file));
        check("before");
        let before = read();
        let done = apply(&project, 0, &[]);
        check("after");
        let foreign = |records: Option<BTreeSet<String>>| -> Option<Vec<String>> {
            let ours = |line: &String| {
                line.contains(" IN SOA ") || (line.starts_with("example.test. ") && line.contains("v=spf1"))
            };
            let changed = |line: &String| {
                let changes = done["zones"][0]["changes"].as_array().unwrap();
                changes.iter().any(|change| {
                    change["action"] == "create"
                        && line.starts_with(&format!("{} ", change["name"].as_str().unwrap()))
                        && line.contains(&format!(" IN {} ", change["type"].as_str().unwrap()))
                })
            };
            records.map(|records| records.into_iter().filter(|line| !ours(line) && !changed(line)).collect())
        };
        assert_eq!(foreign(before), foreign(read()), "{title}");
        project.run_to(0, ["plan", "--detailed-exitcode"]);
    }
}
