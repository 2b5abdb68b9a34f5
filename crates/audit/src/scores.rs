//! Scores by area, in the manner of MECSA (the European Commission's mail check): confidentiality of the transport,
//! protection from phishing and identity theft, integrity of what is published.
//!
//! A score is the sum of the points of its measures, [`WEIGHTS`]. What is not known gives no points, and where more than
//! half of an area's points are not known there is no score at all: a guess would be worse than none.

use serde::Serialize;

use crate::Audit;

/// Something that is good practice and that can be seen from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// The mail hosts offer STARTTLS, and it works.
    StartTls,
    /// Their certificates are valid for their names.
    Certificate,
    /// They agree on TLS 1.2 or later.
    TlsVersion,
    /// A policy is served that names all of them.
    MtaSts,
    /// They have TLSA records that validate and match.
    Dane,
    /// Senders are told where to report failures.
    TlsRpt,
    /// Who may send is said, and that nobody else may.
    Spf,
    /// There is a key to verify signatures with.
    Dkim,
    /// Receivers are asked to act on forgeries.
    Dmarc,
    /// The domain's answers can be validated.
    Dnssec,
    /// It is said who may issue certificates.
    Caa,
    /// The name servers are as the parent says, all answer, and more than one fault is needed to lose them.
    Delegation,
    /// Sending addresses have confirmed reverse names.
    Fcrdns,
    /// At least one of SPF and DKIM is there.
    SpfOrDkim,
    /// SPF or DKIM can pass for the domain itself.
    Aligned,
    /// DKIM keys have 1024 bits (50) or 2048 (100) at least; Ed25519 counts as 2048.
    DkimSize,
    /// The domain takes replies.
    TakesMail,
}

/// The areas of scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words of design.md section 8")]
pub enum ScoreArea {
    Confidentiality,
    Phishing,
    Integrity,
}

/// What a measure is worth in an area.
#[derive(Debug, Clone, Copy)]
pub struct Weight {
    /// The area.
    pub area: ScoreArea,
    /// The measure.
    pub measure: Measure,
    /// The points for all of it; a share of it gives that share of the points. 100 in sum for each area.
    pub points: u8,
    /// What gives all points, and what some.
    pub explanation: &'static str,
}

/// Points of every area. `docs` are made from this table.
pub const WEIGHTS: &[Weight] = &[
    weight(ScoreArea::Confidentiality, Measure::StartTls, 25, "the share of mail hosts where STARTTLS works"),
    weight(ScoreArea::Confidentiality, Measure::Certificate, 15, "the share of mail hosts with a valid certificate"),
    weight(ScoreArea::Confidentiality, Measure::TlsVersion, 10, "the share of mail hosts with TLS 1.2 or later"),
    weight(
        ScoreArea::Confidentiality,
        Measure::MtaSts,
        20,
        "all for a served policy in mode enforce that names every mail host, half in mode testing",
    ),
    weight(
        ScoreArea::Confidentiality,
        Measure::Dane,
        20,
        "the share of mail hosts with TLSA records that validate and match their certificate",
    ),
    weight(ScoreArea::Confidentiality, Measure::TlsRpt, 10, "all for a valid record"),
    weight(
        ScoreArea::Phishing,
        Measure::Spf,
        30,
        "all for a record that ends in -all or ~all, a third for one that says nothing of everybody else; none for an \
         invalid one or +all",
    ),
    weight(
        ScoreArea::Phishing,
        Measure::Dkim,
        30,
        "all for a key of 2048 bits or Ed25519, 60 % for 1024 bits; not known where no selector was named and none of \
         the usual ones has a key",
    ),
    weight(
        ScoreArea::Phishing,
        Measure::Dmarc,
        40,
        "all for reject, 70 % for quarantine, 30 % for none with reports, 10 % for none without; 20 % less where \
         sub-domains are weaker, and test mode or pct under 100 count as one step weaker",
    ),
    weight(ScoreArea::Integrity, Measure::Dnssec, 40, "all if the domain validates"),
    weight(ScoreArea::Integrity, Measure::Dane, 20, "as under confidentiality"),
    weight(
        ScoreArea::Integrity,
        Measure::Caa,
        15,
        "all with issue and issuemail, 70 % with issue alone; the records of a parent domain count",
    ),
    weight(
        ScoreArea::Integrity,
        Measure::Delegation,
        25,
        "the share of name servers that answer; half of it with a fault of the delegation or without redundancy",
    ),
];

/// What an area came to. `None`: more than half of its points are not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the words of design.md section 8")]
pub struct Scores {
    pub confidentiality: Option<u8>,
    pub phishing: Option<u8>,
    pub integrity: Option<u8>,
    /// Where the points are from, in the order of [`WEIGHTS`].
    #[serde(skip)]
    pub parts: Vec<Part>,
}

/// One measure's part in a score.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// The area.
    pub area: ScoreArea,
    /// The measure.
    pub measure: Measure,
    /// The points reached; `None`: not known, which counts as none.
    pub points: Option<u8>,
    /// The points for all of it.
    pub of: u8,
    /// What was seen.
    pub why: String,
}

/// The scores of an audit.
pub fn scores(audit: &Audit) -> Scores {
    let parts: Vec<Part> = WEIGHTS
        .iter()
        .map(|weight| {
            let seen = audit.measures.get(&weight.measure);
            Part {
                area: weight.area,
                measure: weight.measure,
                points: seen.map(|seen| share_of(weight.points, seen.share)),
                of: weight.points,
                why: seen.map_or_else(|| "not known".to_owned(), |seen| seen.why.clone()),
            }
        })
        .collect();
    let score = |area| {
        let own: Vec<&Part> = parts.iter().filter(|part| part.area == area).collect();
        let known: u8 = own.iter().filter(|part| part.points.is_some()).map(|part| part.of).sum();
        (known >= 50).then(|| own.iter().filter_map(|part| part.points).sum())
    };
    Scores {
        confidentiality: score(ScoreArea::Confidentiality),
        phishing: score(ScoreArea::Phishing),
        integrity: score(ScoreArea::Integrity),
        parts,
    }
}

const fn weight(area: ScoreArea, measure: Measure, points: u8, explanation: &'static str) -> Weight {
    Weight { area, measure, points, explanation }
}

/// `share` percent of `points`, rounded down; both are at most 100.
fn share_of(points: u8, share: u8) -> u8 {
    u8::try_from(u32::from(points) * u32::from(share.min(100)) / 100).unwrap_or(points)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Measured;

    fn audit(measures: &[(Measure, u8)]) -> Audit {
        let measured = |share| Measured { share, why: "seen".to_owned() };
        Audit { measures: measures.iter().map(|(m, share)| (*m, measured(*share))).collect(), ..Audit::default() }
    }

    #[test]
    fn each_area_has_a_hundred_points() {
        for area in [ScoreArea::Confidentiality, ScoreArea::Phishing, ScoreArea::Integrity] {
            let sum: u32 = WEIGHTS.iter().filter(|w| w.area == area).map(|w| u32::from(w.points)).sum();
            assert_eq!(sum, 100, "{area:?}");
        }
    }

    #[test]
    fn what_is_not_known_gives_nothing() {
        let seen = scores(&audit(&[(Measure::Spf, 100), (Measure::Dmarc, 70)]));
        assert_eq!((seen.confidentiality, seen.phishing, seen.integrity), (None, Some(58), None));
        assert_eq!(scores(&audit(&[(Measure::Spf, 100)])).phishing, None);
        let all = scores(&audit(&[(Measure::Spf, 100), (Measure::Dmarc, 100), (Measure::Dkim, 100)]));
        assert_eq!(all.phishing, Some(100));
        let dkim = seen.parts.iter().find(|part| part.measure == Measure::Dkim).unwrap();
        assert_eq!((dkim.points, dkim.of, dkim.why.as_str()), (None, 30, "not known"));
    }

    proptest! {
        #[test]
        fn knowing_more_never_costs_points(spf in 0u8..=100, dkim in 0u8..=100, dmarc in 0u8..=100) {
            let less = scores(&audit(&[(Measure::Spf, spf), (Measure::Dmarc, dmarc)])).phishing.unwrap();
            let more = scores(&audit(&[(Measure::Spf, spf), (Measure::Dmarc, dmarc), (Measure::Dkim, dkim)]));
            prop_assert!(less <= more.phishing.unwrap() && more.phishing.unwrap() <= 100);
        }
    }
}
