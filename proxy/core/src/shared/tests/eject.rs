use super::*;

fn seconds(seconds: u64) -> sluice_model::value::Duration {
    sluice_model::value::Duration::from_secs(seconds)
}

/// The third of three fails until it is left out.
fn ejected() -> Bench {
    let bench = Bench::new(3, |_| {});
    bench.fail(2, 3);
    assert_eq!(bench.out(), [2]);
    bench
}

#[test]
fn failures_count_only_in_a_row() {
    let bench = Bench::new(3, |_| {});
    for _ in 0..10 {
        bench.fail(0, 2);
        bench.report(0, Outcome::Answered(200));
        bench.report(0, Outcome::Complete);
    }
    assert!(bench.shared.all_well());
    bench.fail(0, 2);
    bench.report(0, Outcome::Answered(200));
    bench.fail(0, 1);
    assert_eq!(bench.out(), [0], "half an answer is none");
}

#[test]
fn statuses_count_where_they_are_asked_for() {
    type Change = fn(&mut spec::OutlierDetection);
    let cases: [(Change, u16, usize, bool); 6] = [
        (|_| {}, 503, 100, false),
        (|outliers| outliers.consecutive_5xx = 5, 500, 5, true),
        (|outliers| outliers.consecutive_5xx = 5, 500, 4, false),
        (|outliers| outliers.consecutive_gateway_errors = 2, 502, 2, true),
        (|outliers| outliers.consecutive_gateway_errors = 2, 500, 9, false),
        (|outliers| outliers.consecutive_5xx = 5, 404, 9, false),
    ];
    for (case, (change, status, times, out)) in cases.into_iter().enumerate() {
        let bench = Bench::new(3, |cluster| change(&mut cluster.outlier_detection));
        for _ in 0..times {
            bench.report(1, Outcome::Answered(status));
            bench.report(1, Outcome::Complete);
        }
        assert_eq!(!bench.shared.all_well(), out, "case {case}");
    }
}

#[test]
fn no_answer_is_a_5xx_unless_they_are_split() {
    for (split, out) in [(false, true), (true, false)] {
        let bench = Bench::new(3, |cluster| {
            let outliers = spec::OutlierDetection {
                consecutive_5xx: 4,
                split_local_errors: split,
                ..spec::OutlierDetection::off()
            };
            cluster.outlier_detection = outliers;
        });
        bench.fail(0, 4);
        assert_eq!(!bench.shared.all_well(), out, "split: {split}");
    }
}

#[test]
fn who_comes_back_is_given_one_request_until_it_has_answered() {
    let mut bench = ejected();
    bench.after(Duration::from_millis(9_999));
    assert_eq!(bench.out(), [2]);
    assert!(!bench.shared.admits(2, bench.now));
    bench.after(Duration::from_millis(1));
    assert_eq!((bench.out(), bench.health(2)), (vec![], Health::OnProbation));
    assert!(bench.shared.admits(2, bench.now));
    assert!(!bench.shared.admits(2, bench.now), "one at a time");
    assert_eq!(bench.out(), [2]);
    bench.after(Duration::from_secs(1));
    assert!(bench.shared.admits(2, bench.now), "it does not answer, so another one tries");
    bench.report(2, Outcome::Answered(200));
    assert_eq!(bench.health(2), Health::Healthy);
    assert!(
        bench.shared.admits(2, bench.now) && bench.shared.admits(2, bench.now) && bench.shared.all_well()
    );
}

#[test]
fn what_was_sent_before_an_ejection_neither_lengthens_nor_ends_it() {
    let mut bench = ejected();
    bench.fail(2, 20);
    bench.report(2, Outcome::Answered(200));
    assert_eq!((bench.health(2), bench.shared.cluster.ejections()), (Health::Ejected, 1));
    bench.after(Duration::from_secs(10));
    assert_eq!(bench.health(2), Health::OnProbation);
    bench.report(2, Outcome::Answered(200));
    assert_eq!(bench.health(2), Health::Healthy, "whoever asked it where all were asked");
}

#[test]
fn who_fails_again_is_left_out_for_longer_up_to_a_bound() {
    let mut bench = ejected();
    for times in [2, 3, 4, 30, 30] {
        while bench.health(2) == Health::Ejected {
            bench.after(Duration::from_millis(500));
        }
        if times == 30 {
            bench.shared.endpoints[2].times.store(90, Ordering::Relaxed);
        }
        assert!(bench.shared.admits(2, bench.now));
        bench.fail(2, 1);
        let since = bench.now;
        while bench.health(2) == Health::Ejected {
            bench.after(Duration::from_millis(500));
        }
        assert_eq!(bench.now - since, Duration::from_secs(10 * times));
    }
}

#[test]
fn who_was_well_for_long_is_left_out_as_briefly_as_the_first_time() {
    let mut bench = ejected();
    for _ in 0..4 {
        bench.after(Duration::from_secs(60));
        assert!(bench.shared.admits(2, bench.now));
        bench.fail(2, 1);
    }
    bench.after(Duration::from_secs(60));
    assert!(bench.shared.admits(2, bench.now));
    bench.report(2, Outcome::Answered(200));
    bench.after(Duration::from_secs(3_600));
    bench.fail(2, 3);
    bench.after(Duration::from_secs(10));
    assert_eq!(bench.health(2), Health::OnProbation);
}

#[test]
fn one_may_always_be_left_out_but_never_all() {
    for (endpoints, percent, most) in
        [(1, 100, 0), (2, 50, 1), (2, 100, 1), (3, 10, 1), (3, 50, 1), (4, 50, 2), (10, 30, 3), (3, 0, 1)]
    {
        let bench = Bench::new(endpoints, |cluster| {
            cluster.outlier_detection.max_ejection_percent = sluice_model::value::Percent::whole(percent);
        });
        for place in 0..usize::from(endpoints) {
            bench.fail(place, 9);
        }
        assert_eq!(bench.out().len(), most, "{percent}% of {endpoints}");
        assert_eq!(bench.shared.cluster.ejected() as usize, most);
    }
}

#[test]
fn fails_count_as_nginx_counts_them() {
    let fails = |within, times: &[u64]| {
        let mut bench = Bench::new(3, |cluster| {
            cluster.outlier_detection = spec::OutlierDetection {
                max_fails: Some(spec::MaxFails { fails: 3, within: seconds(within) }),
                ..spec::OutlierDetection::off()
            };
        });
        for time in times {
            bench.after(Duration::from_secs(*time));
            bench.fail(0, 1);
            bench.report(0, Outcome::Answered(200));
            bench.report(0, Outcome::Complete);
        }
        bench.shared.cluster.ejections() > 0
    };
    assert!(fails(10, &[0, 4, 4]), "answers in between change nothing");
    assert!(!fails(10, &[0, 4, 6]), "the first one is forgotten");
    assert!(!fails(10, &[0, 4]));
}

#[test]
fn who_answers_much_worse_than_the_others_is_left_out() {
    let mut bench = Bench::new(10, |cluster| {
        cluster.outlier_detection = spec::OutlierDetection {
            success_rate: Some(spec::SuccessRate::default()),
            ..spec::OutlierDetection::off()
        };
    });
    for interval in 0..2 {
        for request in 0..200 {
            for place in 0..10 {
                let bad = place == 4 && request % 2 == 0 || request % 50 == place;
                bench.report(place, Outcome::Answered(if bad { 500 } else { 200 }));
            }
        }
        assert!(bench.shared.all_well(), "interval {interval} has not ended");
        bench.after(Duration::from_secs(10));
        bench.report(0, Outcome::Answered(200));
        assert_eq!(bench.out(), [4]);
        bench.after(Duration::from_secs(10));
        bench.report(4, Outcome::Answered(200));
    }
}
