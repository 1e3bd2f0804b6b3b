//! Deploys one after the other that are killed, lose answers and meet hands between them: whatever came before, the last one ends
//! well.

#![allow(clippy::print_stderr)]

use std::collections::BTreeSet;
use std::time::Duration;

use local_cloudfront::{Fault, Gate, Headers, RequestInfo};

use crate::faults::Lots;
use crate::mishap::{
    FOREIGN, assert_clean, at_request, builds, deploy, deployed, lease_runs_out, setting,
};
use crate::support::{BUCKET, Site, World};

/// What a hand writes.
const THEIRS: &[u8] = b"theirs";

/// All that went wrong in one sequence.
struct Sequence<'a> {
    world: &'a World,
    lots: Lots,
    /// What the network still delivers.
    late: Vec<Gate>,
    told: Vec<String>,
}

impl Sequence<'_> {
    /// A deploy to which something happens at one of its requests.
    async fn mishap(&mut self, site: &Site) {
        let number = 1 + self.lots.below(26) as usize;
        let what = self.lots.below(8);
        self.told.push(format!("mishap {what} at request {number}"));
        let gate = Gate::new();
        let fault = match what {
            0 | 1 => Fault::HoldBefore(gate.clone()),
            2 | 3 => Fault::HoldAfter(gate.clone()),
            4 => {
                self.late.push(gate.clone());
                Fault::Late(gate.clone())
            }
            5 => Fault::ResetAfter,
            6 => Fault::FailAfter(500, "InternalError"),
            _ => Fault::Fail(403, "AccessDenied"),
        };
        let writes = move |request: &RequestInfo| what < 5 || request.writes();
        at_request(self.world, number, writes, fault);
        let mut run = deploy(self.world, site).with("--lock-wait 0s").start();
        let held = loop {
            tokio::select! {
                () = gate.arrived() => break true,
                () = tokio::time::sleep(Duration::from_millis(5)) => {
                    if run.child.try_wait().unwrap().is_some() {
                        break false;
                    }
                }
            }
        };
        let ran = if held {
            run.killed().await
        } else {
            run.ended().await
        };
        self.told.push(format!("exit {:?}", ran.exit));
        self.told.push(format!("purged {:?}", self.world.purged()));
        self.world.forget();
        self.world.clear_rule();
    }

    /// Somebody writes over, changes or removes an object.
    async fn meddle(&mut self) {
        let keys: Vec<String> = self.world.objects("").into_keys().collect();
        let Some(key) = keys.get(self.lots.below(keys.len().max(1) as u64) as usize) else {
            return;
        };
        // Hands are slower than the second by which LastModified counts.
        self.world.clock().advance(Duration::from_secs(5));
        let how = self.lots.below(3);
        self.told.push(format!("hand {how} on {key}"));
        let headers = |control: &str| Headers {
            cache_control: Some(control.to_owned()),
            ..Headers::default()
        };
        let there = self.world.body(BUCKET, key).unwrap().to_vec();
        let (body, headers) = match how {
            0 => (THEIRS.to_vec(), headers("max-age=86400")),
            1 => (there, headers("max-age=31536000")),
            _ => return self.world.delete_object(BUCKET, key).unwrap(),
        };
        let put = self.world.put_object(BUCKET, key, body, headers);
        put.await.unwrap();
    }

    async fn pass_time(&mut self) {
        if self.lots.below(2) == 0 {
            for site in builds() {
                self.world.warm(&site).await;
            }
        }
        lease_runs_out(self.world);
    }

    /// The bucket holds the build, and else only what hands put there.
    #[track_caller]
    fn assert_deployed(&self, site: &Site) {
        let (objects, files) = (self.world.objects(""), site.files());
        for (key, body) in &files {
            assert_eq!(objects.get(key), Some(body), "{key}: {:#?}", self.told);
        }
        let keys: BTreeSet<&String> = files.keys().collect();
        let others = objects.iter().filter(|(key, _)| !keys.contains(key));
        for (key, body) in others {
            let hand = body == THEIRS || key == FOREIGN;
            let told = |line: &&String| line.contains(&format!("on {key}"));
            let touched = self.told.iter().any(|line| told(&line));
            assert!(hand || touched, "{key} stayed: {:#?}", self.told);
        }
    }
}

async fn sequence(seed: u64) {
    let all = builds();
    let world = deployed(&all[0]).await;
    let mut run = Sequence {
        world: &world,
        lots: Lots::new(seed),
        late: Vec::new(),
        told: vec![format!("seed {seed}")],
    };
    for _ in 0..2 + run.lots.below(3) {
        let number = run.lots.below(3) as usize;
        let site = &all[number];
        run.told.push(format!("build {number}"));
        run.mishap(site).await;
        if run.lots.below(2) == 0 {
            run.meddle().await;
        }
        run.pass_time().await;
    }
    let last = run.lots.below(3) as usize;
    let site = &all[last];
    run.told.push(format!("at last build {last}"));
    let told = |run: &Sequence| format!("{:#?}", run.told);
    let ran = deploy(&world, site).await;
    assert_eq!(ran.exit, Some(0), "{} {ran}", told(&run));
    run.assert_deployed(site);
    world.warm(site).await;
    // What the dead had under way arrives after all, and is seen.
    if !run.late.is_empty() {
        run.late.iter().for_each(Gate::open);
        tokio::time::sleep(Duration::from_millis(100)).await;
        world.warm(site).await;
        lease_runs_out(&world);
        let ran = deploy(&world, site).await;
        assert_eq!(ran.exit, Some(0), "{} {ran}", told(&run));
        run.assert_deployed(site);
    }
    let stale = world.stale().await;
    assert!(stale.is_empty(), "{stale:#?} {}", told(&run));
    assert_clean(&world);
    world.assert_idle(deploy(&world, site)).await;
}

/// `UNSTALE_SEQUENCES=200 cargo test --test it sequences::`
#[tokio::test(flavor = "multi_thread")]
async fn whatever_came_before_the_last_deploy_ends_well() {
    let count = setting("UNSTALE_SEQUENCES").and_then(|text| text.parse().ok());
    let first = setting("UNSTALE_SEQUENCES_FROM").and_then(|text| text.parse().ok());
    let first = first.unwrap_or(0);
    let seeds = first..first + count.unwrap_or(6);
    for seed in seeds.clone() {
        sequence(seed).await;
    }
    eprintln!("{} sequences of deploys", seeds.end - seeds.start);
}
