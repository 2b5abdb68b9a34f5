//! A service that accepts and lists a change, and whose name servers never serve it.

use super::each;
use super::stage::Site;

#[test]
fn the_tightening_step_is_held() {
    each(|make| {
        let domain = "spf = \"v=spf1 mx -all\"\ndmarc = { policy = \"quarantine\" }\n";
        let records = ["@ 3600 MX 10 mail.example.net.", "_dmarc 3600 TXT \"v=DMARC1; p=none\""];
        let site = Site::new(make(), "example.test", domain, &records);
        site.stage.never_serve(true);
        for _ in 0..2 {
            let document = site.run(3, &["apply", "--yes", "--format", "json"]).json();
            let held: Vec<_> = document["zones"][0]["changes"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|change| change["outcome"] == "held")
                .collect();
            assert_eq!(held.len(), 1, "{document:#}");
            assert_eq!(held[0]["name"], "_dmarc.example.test.");
            assert!(site.stored().iter().any(|line| line.contains("p=none")));
            assert!(site.stored().iter().any(|line| line.contains("v=spf1 mx -all")));
        }
        let said = site.run(3, &["apply", "--yes"]);
        let text = said.stdout + &said.stderr;
        for part in ["service", &site.dns.address().to_string()] {
            assert!(text.contains(part), "{}: {part} is not in\n{text}", site.stage.name());
        }
        // At last it is served, and the next run goes on.
        site.stage.never_serve(false);
        site.run(0, &["apply", "--yes"]);
        assert!(site.stored().iter().any(|line| line.contains("p=quarantine")));
        site.run(0, &["plan", "--detailed-exitcode"]);
    });
}
