//! Alerts in the log: told once when they begin and once when they end. What they are now is in the report.

use planner::report::Alert;

/// The alerts that were told.
#[derive(Debug, Default)]
pub(crate) struct Alerts {
    told: Vec<Alert>,
}

impl Alerts {
    /// Tells what has begun and what has ended.
    pub(crate) fn tell(&mut self, now: &[Alert]) {
        // In most turns nothing has changed.
        if self.told == now {
            return;
        }
        let (begun, ended) = self.changes(now);
        for alert in begun {
            tracing::warn!("{alert}");
        }
        for alert in ended {
            tracing::info!("over: {alert}");
        }
        self.told = now.to_vec();
    }

    fn changes<'a>(&'a self, now: &'a [Alert]) -> (Vec<&'a Alert>, Vec<&'a Alert>) {
        let lacking = |from: &'a [Alert], all: &'a [Alert]| {
            all.iter().filter(|alert| !from.iter().any(|other| other.is_about_the_same(alert))).collect()
        };
        (lacking(&self.told, now), lacking(now, &self.told))
    }
}

#[cfg(test)]
mod tests {
    use planner::ids::PoolId;

    use super::*;

    fn fails(pool: &str, failures: u32) -> Alert {
        Alert::PoolFails { pool: PoolId::new(pool), failures, last_error: String::new() }
    }

    #[test]
    fn each_is_told_when_it_begins_and_when_it_ends_and_not_at_each_change_of_its_numbers() {
        let mut alerts = Alerts::default();
        let held = |count| Alert::KillsHeld { count };
        let first = [fails("a", 3), held(12)];
        assert_eq!(alerts.changes(&first), (first.iter().collect(), vec![]));
        alerts.tell(&first);
        assert_eq!(alerts.changes(&[fails("a", 4), held(11)]), (vec![], vec![]));
        let second = [fails("b", 3), held(11)];
        assert_eq!(alerts.changes(&second), (vec![&second[0]], vec![&first[0]]));
    }
}
