//! What may still make load after the command has ended or was killed, and so keeps the share.

pub enum Remains {
    /// Their names: processes of another user, or that hang in the kernel.
    Processes(Vec<String>),
    /// Something that is no descendant, since --on-stop did not end it.
    Elsewhere,
}

impl Remains {
    /// What goes on, and what can be done about it.
    pub fn why_the_share_is_kept(&self, share_of: Option<i64>) -> String {
        let of_run = share_of.map(|run_id| format!(" of run {run_id}")).unwrap_or_default();
        match (self, share_of) {
            (Self::Processes(processes), share_of) => {
                let (count, run, they_end) = match processes.len() {
                    1 => ("1 process".to_owned(), "runs", "it ends"),
                    more => (format!("{more} processes"), "run", "they end"),
                };
                let what = format!("{count}{of_run} could not be ended and {run} on: {}", names(processes));
                share_of.map_or_else(
                    || format!("{what}: see to it that {they_end}"),
                    |run_id| {
                        format!(
                            "{what}: the share stays held until {they_end}, or until perfreg cancel {run_id} --force"
                        )
                    },
                )
            }
            (Self::Elsewhere, Some(run_id)) => format!(
                "the load of run {run_id} may run on elsewhere: end it there, and then give the share back with \
                 perfreg cancel {run_id} --force"
            ),
            (Self::Elsewhere, None) => "the load may run on elsewhere: end it there".to_owned(),
        }
    }

    pub fn describe(&self) -> String {
        match self {
            Self::Processes(processes) => format!("what runs on: {}", names(processes)),
            Self::Elsewhere => "the load may run on elsewhere".to_owned(),
        }
    }
}

/// As many as a line may name.
fn names(processes: &[String]) -> String {
    const NAMED: usize = 5;
    let shown = processes.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match processes.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_on_is_named_with_what_can_be_done_about_it() {
        let one = Remains::Processes(vec!["k6 (pid 4711, of root)".to_owned()]);
        assert_eq!(
            one.why_the_share_is_kept(Some(7)),
            "1 process of run 7 could not be ended and runs on: k6 (pid 4711, of root): the share stays held until it \
             ends, or until perfreg cancel 7 --force"
        );
        let many = Remains::Processes((1..=7).map(|number| format!("k6 (pid {number})")).collect());
        let line = many.why_the_share_is_kept(None);
        assert!(line.starts_with("7 processes could not be ended and run on: k6 (pid 1), k6 (pid 2)"), "{line}");
        assert!(line.ends_with("k6 (pid 5) and 2 more: see to it that they end"), "{line}");
    }
}
