//! What the program says to bad input, as a person reads it.

use std::net::{TcpListener, UdpSocket};

use insta::assert_snapshot;

use crate::harness::{Project, zone_text};

/// Standard error of a command that has to fail with 1 and print nothing, in a project whose configuration is this.
#[track_caller]
fn refused(configuration: &str, args: &[&str]) -> String {
    let project = Project::empty();
    project.write("mailzone.toml", configuration);
    failing(&project, args)
}

/// Standard error of a command that has to fail with 1 and print nothing.
#[track_caller]
fn failing(project: &Project, args: &[&str]) -> String {
    let output = project.run_to(1, args);
    assert_eq!(output.stdout, "", "a result of a command that failed");
    output.said()
}

/// Standard output of a plan that has to fail with 1 for what its zones are.
#[track_caller]
fn plan_with_error(project: &Project) -> String {
    let output = project.run_to(1, ["plan"]);
    assert_eq!(output.stderr, "");
    output.shown()
}

#[test]
fn unknown_key() {
    assert_snapshot!(refused(&domain("sfp = \"v=spf1 -all\""), &["plan"]), @r#"
    error: unknown key `sfp` in a domain
     --> mailzone.toml:7:1
      |
    7 | sfp = "v=spf1 -all"
      | ^^^
      = help: did you mean `spf`?
    "#);
}

#[test]
fn unknown_keys_are_told_all_at_once() {
    let text = "[dns]\nresolver = [\"192.0.2.53\"]\n\n[latncy]\nbudget = \"1s\"\n";
    assert_snapshot!(refused(text, &["plan"]), @r#"
    error: unknown key `resolver` in the table `dns`
     --> mailzone.toml:2:1
      |
    2 | resolver = ["192.0.2.53"]
      | ^^^^^^^^
      = help: did you mean `resolvers`?
    error: unknown key `latncy` in the configuration
     --> mailzone.toml:4:2
      |
    4 | [latncy]
      |  ^^^^^^
      = help: did you mean `latency`?
    "#);
}

#[test]
fn wrong_type() {
    assert_snapshot!(refused(&domain("mx = 10\nttl = true"), &["plan"]), @r#"
    error: `mx` is an integer, expected a list, each a table with preference, host; or "null", "absent" or "unmanaged"
     --> mailzone.toml:7:6
      |
    7 | mx = 10
      |      ^^
    error: `ttl` is true or false, expected a time such as "300", "1h" or "1w"; or an integer from 0 to 2147483647
     --> mailzone.toml:8:7
      |
    8 | ttl = true
      |       ^^^^
    "#);
}

#[test]
fn broken_toml() {
    assert_snapshot!(refused("[domains.\"example.test\"\nmx = \"null\"\n", &["plan"]), @r#"
    error: no TOML: unclosed table, expected `]`
     --> mailzone.toml:1:24
      |
    1 | [domains."example.test"
      |                        ^
    "#);
}

#[test]
fn two_definitions_in_two_files() {
    let project = Project::empty();
    project.write("conf/a.toml", domain("mx = \"null\""));
    project.write("conf/b.toml", "# the same again\n[domains.\"EXAMPLE.test\"]\nmx = \"null\"\n");
    assert_snapshot!(failing(&project, &["plan", "--config", "conf"]), @r#"
    error: the domain example.test is defined twice
     --> conf/b.toml:2:10
      |
    2 | [domains."EXAMPLE.test"]
      |          ^^^^^^^^^^^^^^ defined again here
     --> conf/a.toml:5:10
      |
    5 | [domains."example.test"]
      |          -------------- first defined here
    "#);
}

#[test]
fn two_definitions_in_one_file() {
    let text = "[domains.\"example.test\"]\nmx = \"null\"\n\n[domains.\"example.test\"]\nspf = \"absent\"\n";
    assert_snapshot!(refused(text, &["plan"]), @r#"
    error: `"example.test"` is defined twice
     --> mailzone.toml:4:10
      |
    4 | [domains."example.test"]
      |          ^^^^^^^^^^^^^^ defined again here
     --> mailzone.toml:1:1
      |
    1 | [domains."example.test"]
      | ------------------------ first defined here
    "#);
}

#[test]
fn no_configuration() {
    assert_snapshot!(failing(&Project::empty(), &["plan"]), @"
    error: mailzone.toml does not exist
    help: `mailzone try` makes a worked example; --config names another file
    ");
    assert_snapshot!(failing(&Project::empty(), &["plan", "--config", "other.toml"]), @"error: other.toml does not exist");
}

#[test]
fn configuration_that_is_not_utf8() {
    let project = Project::empty();
    project.write("mailzone.toml", b"# caf\xe9\n[domains.\"example.test\"]\n");
    assert_snapshot!(failing(&project, &["plan"]), @"error: mailzone.toml is not UTF-8 in line 1");
}

#[test]
fn configuration_on_standard_input_that_is_not_utf8() {
    let output = Project::empty().run_with_input(["plan", "--config", "-"], b"# caf\xe9\n").expect_code(1);
    assert_eq!(output.stdout, "");
    assert_snapshot!(output.said(), @"error: standard input cannot be read as UTF-8 text: stream did not contain valid UTF-8");
}

#[test]
fn unknown_provider() {
    let text = "[providers.files]\ntype = \"zonefile\"\ndirectory = \"zones\"\n\n[domains.\"example.test\"]\n\
                provider = \"fils\"\nmx = \"null\"\n";
    assert_snapshot!(refused(text, &["plan"]), @r#"
    error: no provider is called `fils`
     --> mailzone.toml:6:12
      |
    6 | provider = "fils"
      |            ^^^^^^
      = help: did you mean `files`?
    "#);
}

#[test]
fn no_provider() {
    assert_snapshot!(refused("[domains.\"example.test\"]\nmx = \"null\"\n", &["plan"]), @r#"
    error: the domain example.test has no provider
     --> mailzone.toml:1:10
      |
    1 | [domains."example.test"]
      |          ^^^^^^^^^^^^^^
      = help: set `provider` here, in its group or in [defaults]
    "#);
}

#[test]
fn provider_type_that_nobody_knows() {
    assert_snapshot!(refused("[providers.files]\ntype = \"zonefiel\"\ndirectory = \"zones\"\n", &["plan"]), @r#"
    error: no provider is called `zonefiel`
     --> mailzone.toml:2:8
      |
    2 | type = "zonefiel"
      |        ^^^^^^^^^^
      = help: did you mean `zonefile`? available: zonefile, rfc2136, route53, cloudflare, netcup, ionos, ionos-cloud
    "#);
}

#[test]
fn value_of_a_later_version() {
    let text = "[providers.files]\ntype = \"zonefile\"\ndirectory = \"zones\"\n[dns]\nresolvers = [\"tls://192.0.2.1\"]\n";
    assert_snapshot!(refused(text, &["plan"]), @"");
}

#[test]
fn spf_with_a_colon_in_redirect() {
    assert_snapshot!(refused(&domain("spf = \"v=spf1 redirect:_spf.example.net\""), &["plan"]), @r#"
    error: `spf`: `redirect` is a modifier: it takes `=`, not `:`
     --> mailzone.toml:7:15
      |
    7 | spf = "v=spf1 redirect:_spf.example.net"
      |               ^^^^^^^^^^^^^^^^^^^^^^^^^
      = help: write `redirect=_spf.example.net`
    "#);
}

#[test]
fn spf_with_an_address_mechanism_without_an_address() {
    assert_snapshot!(refused(&domain("spf = \"v=spf1 ip4: -all\""), &["plan"]), @r#"
    error: `spf`: `ip4` without an address
     --> mailzone.toml:7:15
      |
    7 | spf = "v=spf1 ip4: -all"
      |               ^^^^
      = help: write `ip4:192.0.2.1`
    "#);
    assert_snapshot!(refused(&domain("spf = [\"mx\", \"ip4:\", \"-all\"]"), &["plan"]), @r#"
    error: `spf`: `ip4` without an address
     --> mailzone.toml:7:15
      |
    7 | spf = ["mx", "ip4:", "-all"]
      |               ^^^^
      = help: write `ip4:192.0.2.1`
    "#);
}

#[test]
fn dkim_selector_that_is_a_whole_name() {
    assert_snapshot!(refused(&domain("dkim.domainkey = { cname = \"s.example.net.\" }"), &["plan"]), @r#"
    error: `domainkey`: a selector without `_domainkey` belongs here
     --> mailzone.toml:7:6
      |
    7 | dkim.domainkey = { cname = "s.example.net." }
      |      ^^^^^^^^^
      = help: write the selector, such as `s2026`: `._domainkey` and the domain are appended
    "#);
    assert_snapshot!(refused(&domain("dkim.\"s1._domainkey\" = { cname = \"s.example.net.\" }"), &["plan"]), @r#"
    error: `s1._domainkey`: a selector without `_domainkey` belongs here
     --> mailzone.toml:7:6
      |
    7 | dkim."s1._domainkey" = { cname = "s.example.net." }
      |      ^^^^^^^^^^^^^^^
      = help: write `dkim.s1`: `._domainkey` and the domain are appended
    "#);
}

#[test]
fn key_file_that_is_not_there() {
    assert_snapshot!(refused(&domain("dkim.s1 = { record_file = \"keys/s1.txt\" }"), &["plan"]), @r#"
    error: `record_file`: keys/s1.txt does not exist
     --> mailzone.toml:7:27
      |
    7 | dkim.s1 = { record_file = "keys/s1.txt" }
      |                           ^^^^^^^^^^^^^
    "#);
}

#[test]
fn domains_file_that_is_not_there() {
    let text = "[providers.files]\ntype = \"zonefile\"\ndirectory = \"zones\"\n[groups.parked]\nprofiles = \
                [\"parked\"]\nprovider = \"files\"\ndomains_file = \"parked.txt\"\n";
    assert_snapshot!(refused(text, &["plan"]), @r#"
    error: `domains_file`: parked.txt does not exist
     --> mailzone.toml:7:16
      |
    7 | domains_file = "parked.txt"
      |                ^^^^^^^^^^^^
    "#);
}

#[test]
fn domains_file_with_a_line_that_is_no_name() {
    let project = Project::empty();
    project.write(
        "mailzone.toml",
        "[providers.files]\ntype = \"zonefile\"\ndirectory = \"zones\"\n[groups.parked]\nprofiles = \
         [\"parked\"]\nprovider = \"files\"\ndomains_file = \"parked.txt\"\n",
    );
    project.write("parked.txt", "one.test\ntwo..test\nthree.test # fine\n");
    assert_snapshot!(failing(&project, &["plan"]), @"
    error: no domain name: empty label (two dots in a row, or a dot at the start)
     --> parked.txt:2:1
      |
    2 | two..test
      | ^^^^^^^^^
    ");
}

#[test]
fn domain_that_is_not_configured() {
    assert_snapshot!(failing(&Project::simple(), &["plan", "exmaple.test"]), @"
    error: exmaple.test is not a configured domain
      help: add it to the configuration
    ");
    assert_snapshot!(failing(&Project::simple(), &["plan", "www.example.test"]), @"
    error: www.example.test is not a configured domain
      help: example.test is; its records include those below it
    ");
}

#[test]
fn domain_in_no_zone() {
    let project = Project::new("[domains.\"nowhere.test\"]\nmx = \"null\"\n", &[]);
    assert_snapshot!(plan_with_error(&project), @"
    Domain nowhere.test (files)
      no zone: files holds no zone for nowhere.test
          help: create the zone at files, or name another provider

    Plan: 0 to create, 0 to update, 0 to delete. 0 unchanged, 0 foreign, 0 unmanaged.
    1 zone cannot be applied; see the reason above.
    ");
}

#[test]
fn broken_zone_file() {
    let broken = zone_text("example.test", &["www A 192.0.2.256", "mail MX"]);
    let project = Project::new("[domains.\"example.test\"]\nmx = \"null\"\n", &[("example.test", broken)]);
    assert_snapshot!(plan_with_error(&project), @"
    Zone example.test (files)
      not understood: reading zones/example.test.zone: line 6, column 7: A data: not an IPv4 address
          |   6 | www A 192.0.2.256
          | line 7, column 8: MX data: the preference is missing
          |   7 | mail MX
          help: correct the data of this A record; correct the data of this MX record

    Plan: 0 to create, 0 to update, 0 to delete. 0 unchanged, 0 foreign, 0 unmanaged.
    1 zone cannot be applied; see the reason above.
    ");
}

#[test]
fn zone_file_with_include() {
    let text = zone_text("example.test", &["$INCLUDE other.zone"]);
    let project = Project::new("[domains.\"example.test\"]\nmx = \"null\"\n", &[("example.test", text)]);
    assert_snapshot!(plan_with_error(&project), @"
    Zone example.test (files)
      not understood: reading zones/example.test.zone: line 6, column 1: $INCLUDE is not supported
          |   6 | $INCLUDE other.zone
          help: put the records of the included file into this one

    Plan: 0 to create, 0 to update, 0 to delete. 0 unchanged, 0 foreign, 0 unmanaged.
    1 zone cannot be applied; see the reason above.
    ");
}

#[test]
fn directory_that_is_a_file() {
    let project = Project::empty();
    project.write("mailzone.toml", domain("mx = \"null\""));
    project.write("zones", "not a directory\n");
    assert_snapshot!(plan_with_error(&project), @"
    Domain example.test (files)
      error in the configuration: listing zones: this is a file, not a directory
          help: name an existing directory of ORIGIN.zone files as the provider's `directory`

    Plan: 0 to create, 0 to update, 0 to delete. 0 unchanged, 0 foreign, 0 unmanaged.
    1 zone cannot be applied; see the reason above.
    ");
    assert_snapshot!(failing(&project, &["serve", "--directory", "zones", "--listen", "127.0.0.1:0"]), @"
    error: listing zones: this is a file, not a directory
      help: name an existing directory of ORIGIN.zone files as the provider's `directory`
    ");
}

#[test]
fn directory_that_is_not_there() {
    assert_snapshot!(refused_plan(&domain("mx = \"null\"")), @"
    Domain example.test (files)
      error in the configuration: listing zones: no such directory
          help: name an existing directory of ORIGIN.zone files as the provider's `directory`

    Plan: 0 to create, 0 to update, 0 to delete. 0 unchanged, 0 foreign, 0 unmanaged.
    1 zone cannot be applied; see the reason above.
    ");
}

#[test]
fn dangling_link() {
    let project = Project::new("[domains.\"example.test\"]\nmx = \"null\"\n", &[]);
    std::os::unix::fs::symlink("gone.zone", project.path("zones/example.test.zone")).unwrap();
    assert_snapshot!(plan_with_error(&project), @"
    Zone example.test (files)
      refused: reading zones/example.test.zone: a dangling symbolic link to gone.zone
          help: make the link lead to a zone file in the same directory, or remove it

    Plan: 0 to create, 0 to update, 0 to delete. 0 unchanged, 0 foreign, 0 unmanaged.
    1 zone cannot be applied; see the reason above.
    ");
}

#[test]
fn link_that_leaves_the_directory() {
    let project = Project::new("[domains.\"example.test\"]\nmx = \"null\"\n", &[]);
    project.write("elsewhere.zone", zone_text("example.test", &[]));
    std::os::unix::fs::symlink("../elsewhere.zone", project.path("zones/example.test.zone")).unwrap();
    assert_snapshot!(plan_with_error(&project), @"
    Zone example.test (files)
      refused: reading zones/example.test.zone: a symbolic link out of the directory, to [DIR]/elsewhere.zone
          help: put the file itself into the directory, or name the directory that it is in

    Plan: 0 to create, 0 to update, 0 to delete. 0 unchanged, 0 foreign, 0 unmanaged.
    1 zone cannot be applied; see the reason above.
    ");
}

#[test]
fn port_in_use() {
    let project = Project::simple();
    let taken = taken();
    let port = taken.0.local_addr().unwrap().to_string();
    assert_snapshot!(failing(&project, &["serve", "--directory", "zones", "--listen", &port]), @"
    error: cannot listen on [ADDR]: Address already in use (os error 98)
      help: stop what answers there, or choose another port with --listen
    ");
    project.replace("mailzone.toml", "127.0.0.1:0", &port);
    assert_snapshot!(failing(&project, &["verify"]), @"
    error: the embedded server of files cannot answer at [ADDR]: cannot listen on [ADDR]: Address already in use (os error 98)
      help: stop what answers there, or serve at port 0
    ");
    assert_snapshot!(failing(&project, &["apply", "--yes"]), @"
    error: the embedded server of files cannot answer at [ADDR]: cannot listen on [ADDR]: Address already in use (os error 98)
      help: stop what answers there, or serve at port 0
    ");
    // The configuration was read: there is a document.
    for command in [&["apply", "--yes"][..], &["verify"], &["latency", "example.test"]] {
        let output = project.run_to(1, [command, &["--format", "json"]].concat());
        assert_eq!(output.json()["exit"]["code"], 1, "{command:?}");
    }
}

#[test]
fn not_loopback_without_being_asked() {
    let args = ["serve", "--directory", "zones", "--listen", "0.0.0.0:0"];
    assert_snapshot!(failing(&Project::simple(), &args), @"
    error: 0.0.0.0 is not a loopback address
      help: --public serves to everybody who can reach this machine
    ");
}

#[test]
fn corrupt_plan_file() {
    let project = Project::simple();
    project.write("plan.json", "{\"format_version\": 1, \"zones\": [");
    assert_snapshot!(failing(&project, &["apply", "plan.json", "--yes"]), @"
    error: plan.json: not a plan file: EOF while parsing a list at line 1 column 32
      help: make a new plan with `mailzone plan --out`
    ");
    project.write("plan.json", "[]");
    assert_snapshot!(failing(&project, &["apply", "plan.json", "--yes"]), @"
    error: plan.json: not a plan file: invalid length 0, expected struct Version with 1 element at line 1 column 2
      help: make a new plan with `mailzone plan --out`
    ");
    project.write("plan.json", b"\xff\xfe");
    assert_snapshot!(failing(&project, &["apply", "plan.json", "--yes"]), @"
    error: plan.json: stream did not contain valid UTF-8
      help: name a file that `mailzone plan --out` wrote
    ");
    assert_snapshot!(failing(&project, &["apply", "other/plan", "--yes"]), @"
    error: other/plan: No such file or directory (os error 2)
      help: name a file that `mailzone plan --out` wrote
    ");
    assert_snapshot!(failing(&project, &["apply", "./zones", "--yes"]), @"
    error: ./zones: not a plan file
      help: name a file that `mailzone plan --out` wrote
    ");
}

#[test]
fn edited_plan_file() {
    let project = Project::simple();
    project.run_to(0, ["plan", "--out", "plan.json"]);
    project.replace("plan.json", "203.0.113.7", "203.0.113.8");
    assert_snapshot!(failing(&project, &["apply", "plan.json", "--yes"]), @"
    error: plan.json: the plan file was changed after it was written: its digest does not match
      help: make a new plan with `mailzone plan --out`
    ");
}

#[test]
fn newer_plan_file() {
    let project = Project::simple();
    project.run_to(0, ["plan", "--out", "plan.json"]);
    project.replace("plan.json", "\"format_version\": 1", "\"format_version\": 2");
    assert_snapshot!(failing(&project, &["apply", "plan.json", "--yes"]), @"
    error: plan.json: plan file of format 2; this mailzone reads up to 1
      help: make a new plan with `mailzone plan --out`
    ");
}

#[test]
fn format_that_a_command_does_not_have() {
    assert_snapshot!(failing(&Project::simple(), &["apply", "--yes", "--format", "markdown"]), @"
    error: this command has no output in that format
      help: use --format text or json
    ");
}

#[test]
fn project_of_try_where_something_is() {
    assert_snapshot!(failing(&Project::simple(), &["try", "zones"]), @"
    error: zones is not empty
      help: name a new or empty directory
    ");
}

/// A configuration of one domain with this key.
fn domain(key: &str) -> String {
    format!(
        "[providers.files]\ntype = \"zonefile\"\ndirectory = \"zones\"\n\n[domains.\"example.test\"]\nprovider = \
         \"files\"\n{key}\n"
    )
}

#[track_caller]
fn refused_plan(configuration: &str) -> String {
    let project = Project::empty();
    project.write("mailzone.toml", configuration);
    plan_with_error(&project)
}

/// A port on which somebody else answers already, over UDP and TCP.
fn taken() -> (TcpListener, UdpSocket) {
    for _ in 0..64 {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()) {
            return (tcp, udp);
        }
    }
    panic!("no port is free for both UDP and TCP");
}
