//! The pure planner: RRsets a second on one core, by the size of the zone and what is claimed in it.
//!
//! `cargo bench -p mailzone-plan` measures with criterion. `cargo bench -p mailzone-plan -- --once [typical|claimed]
//! SIZE...` plans zones of these sizes once each and prints the figures, for sizes that criterion takes too long for.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench talks, and stops when it cannot go on")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput};
use mailzone_mailauth::KindId;
use mailzone_plan::{Claim, DomainFacts, MailUse, Own, Slot, ZoneInput, ZonePlan, plan_zone};
use mailzone_provider::{Access, Capabilities, Snapshot, TtlRange, TypeSet, Zone, ZoneId};
use mailzone_record::{Name, RRset, Rdata, RecordType, Ttl, Txt};

/// What a zone is made of.
#[derive(Debug, Clone, Copy)]
enum Mix {
    /// Addresses, texts and aliases of others; one domain's slots are claimed.
    Typical,
    /// Mail domains below the apex: three of four RRsets are claimed, each tenth differs.
    Claimed,
}

struct Work {
    zone: Zone,
    capabilities: Capabilities,
    snapshot: Snapshot,
    claims: Vec<Claim>,
    facts: Vec<DomainFacts>,
}

impl Work {
    fn new(mix: Mix, size: usize) -> Self {
        let apex = Name::parse("example.com").unwrap();
        let (mut sets, mut claims, mut facts) = (Vec::with_capacity(size + 8), Vec::new(), Vec::new());
        match mix {
            Mix::Typical => {
                slots(&apex, 0, &mut sets, &mut claims, &mut facts);
                for n in sets.len()..size {
                    sets.push(foreign(&apex, n));
                }
            }
            Mix::Claimed => {
                for n in 0..size / 4 {
                    let domain = apex.prepend(&format!("d{n}")).unwrap();
                    slots(&domain, n, &mut sets, &mut claims, &mut facts);
                    sets.push(foreign(&apex, n));
                }
            }
        }
        let zone = Zone { id: ZoneId::new("1"), name: apex, access: Access::ReadWrite, nameservers: Vec::new() };
        let capabilities = Capabilities {
            writable: TypeSet::All,
            ttl: TtlRange::ANY,
            atomic: true,
            compare_and_swap: true,
            concurrency: 1,
            expected_visible: 0,
            apex_cname: false,
        };
        Self { zone, capabilities, snapshot: Snapshot::new(sets, None), claims, facts }
    }

    fn plan(&self) -> ZonePlan {
        plan_zone(&ZoneInput {
            zone: &self.zone,
            capabilities: &self.capabilities,
            provider: None,
            snapshot: &self.snapshot,
            claims: &self.claims,
            domains: &self.facts,
            allow: &[],
            normalize: false,
            guards: &[],
            only: None,
        })
    }
}

/// MX, SPF beside a token, and DMARC: live and claimed.
fn slots(domain: &Name, n: usize, sets: &mut Vec<RRset>, claims: &mut Vec<Claim>, facts: &mut Vec<DomainFacts>) {
    let text = |text: &str| Rdata::Txt(Txt::from_text(text));
    let mx = Rdata::Mx(mailzone_record::Mx { preference: 10, exchange: Name::parse("mail.example.com").unwrap() });
    let spf = text("v=spf1 mx ip4:192.0.2.0/24 -all");
    let token = text(&format!("google-site-verification={n:032x}"));
    let policy = if n.is_multiple_of(10) { "v=DMARC1; p=none" } else { "v=DMARC1;p=quarantine" };
    let wanted = text("v=DMARC1; p=quarantine");
    let dmarc = domain.prepend("_dmarc").unwrap();
    let ttl = Ttl::from_secs(3600);
    let set = |owner: &Name, rtype, values: Vec<Rdata>| {
        RRset::new(owner.clone(), rtype, ttl, values.into_iter().map(Into::into).collect())
    };
    sets.push(set(domain, RecordType::MX, vec![mx.clone()]));
    sets.push(set(domain, RecordType::TXT, vec![token, spf.clone()]));
    sets.push(set(&dmarc, RecordType::TXT, vec![text(policy)]));
    let mut claim = |kind, owner: &Name, rtype, own, want| {
        claims.push(Claim {
            slot: Slot::new(domain.clone(), kind),
            domain: domain.clone(),
            owner: owner.clone(),
            rtype,
            own,
            want: vec![want],
            ttl: None,
            own_name: kind == KindId::Dmarc,
            from_profile: false,
            adopt: false,
            relies_on: Vec::new(),
            relies_always: false,
        });
    };
    claim(KindId::Mx, domain, RecordType::MX, Own::RRset, mx);
    claim(KindId::Spf, domain, RecordType::TXT, Own::Candidates, spf);
    claim(KindId::Dmarc, &dmarc, RecordType::TXT, Own::Candidates, wanted);
    facts.push(DomainFacts {
        domain: domain.clone(),
        mail: MailUse::Both,
        sts_policy: None,
        mentioned: [KindId::Mx, KindId::Spf, KindId::Dmarc].map(|kind| Slot::new(domain.clone(), kind)).into(),
        formerly: Vec::new(),
    });
}

/// Half addresses, a quarter texts, a quarter aliases.
fn foreign(apex: &Name, n: usize) -> RRset {
    let owner = apex.prepend(&format!("host-{n}")).unwrap();
    let rdata = match n % 4 {
        0 => Rdata::Txt(Txt::from_text(format!("verification={n:032x}"))),
        1 => Rdata::Cname(Name::parse("target.example.net").unwrap()),
        _ => Rdata::A(std::net::Ipv4Addr::from_bits(0x0a00_0000 | n as u32 & 0x00ff_ffff)),
    };
    let rtype = rdata.rtype();
    RRset::new(owner, rtype, Ttl::from_secs(300), vec![rdata.into()])
}

fn measure(criterion: &mut Criterion) {
    for mix in [Mix::Typical, Mix::Claimed] {
        let mut group = criterion.benchmark_group(format!("{mix:?}").to_lowercase());
        group.sample_size(10).measurement_time(Duration::from_secs(5));
        for size in [10_000, 100_000, 1_000_000] {
            let work = Work::new(mix, size);
            group.throughput(Throughput::Elements(size as u64));
            group.bench_with_input(BenchmarkId::from_parameter(size), &work, |bencher, work| {
                bencher.iter(|| black_box(work.plan()));
            });
        }
        group.finish();
    }
}

fn once(arguments: &[String]) {
    let named = |mix: &Mix| arguments.contains(&format!("{mix:?}").to_lowercase());
    let mixes = [Mix::Typical, Mix::Claimed];
    let all = !mixes.iter().any(named);
    for size in arguments.iter().filter_map(|argument| argument.parse::<usize>().ok()) {
        for mix in mixes.iter().copied().filter(|mix| all || named(mix)) {
            let work = Work::new(mix, size);
            let began = Instant::now();
            let plan = black_box(work.plan());
            let took = began.elapsed();
            let speed = size as f64 / took.as_secs_f64();
            println!("{mix:?} {size}: {speed:.0} RRsets/s ({took:.2?}, {} changes)", plan.changes.len());
        }
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--once") {
        return once(&arguments[at + 1..]);
    }
    let mut criterion = Criterion::default().configure_from_args();
    measure(&mut criterion);
    criterion.final_summary();
}
