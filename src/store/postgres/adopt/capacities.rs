//! Brings the capacities of the original's successor along, which has a table `locations` of one row a server.
//!
//! Its limits are inclusive and ours are not, so a location gets a millionth more than its workers have together. Nothing
//! here stops an adoption: a capacity can be set by hand afterwards.

use std::collections::BTreeMap;

use tokio_postgres::Transaction;
use tokio_postgres::types::Type;

use super::super::error::classify;
use super::super::rows::get;
use super::execute;
use crate::domain::capacity::factor::Factor;
use crate::domain::capacity::location::Location;
use crate::domain::name::clean;
use crate::store::StoreError;

/// More are nobody's load generators, but another program's table.
const MOST_LOCATIONS: usize = 10_000;
/// So many are named in one line of the log.
const MOST_NAMED: usize = 20;

/// What was found, for the log.
#[derive(Debug, Default)]
pub struct Capacities {
    set: BTreeMap<String, Factor>,
    without_worker: Vec<String>,
    unusable: usize,
}

/// Sets the capacities that the successor's table says, if there is one.
pub async fn bring(transaction: &Transaction<'_>) -> Result<Capacities, StoreError> {
    execute(transaction, "SAVEPOINT capacities").await?;
    let brought = match try_bring(transaction).await {
        Ok(capacities) => capacities,
        Err(error) => {
            execute(transaction, "ROLLBACK TO SAVEPOINT capacities").await?;
            tracing::warn!(
                "the capacities in the table locations could not be read: {error}; set them with perfreg locations set"
            );
            Capacities::default()
        }
    };
    execute(transaction, "RELEASE SAVEPOINT capacities").await?;
    Ok(brought)
}

async fn try_bring(transaction: &Transaction<'_>) -> Result<Capacities, StoreError> {
    if !is_there(transaction).await? {
        return Ok(Capacities::default());
    }
    let capacities = read(transaction).await?;
    let names: Vec<&str> = capacities.set.keys().map(String::as_str).collect();
    let millionths: Vec<i64> = capacities.set.values().map(|capacity| capacity.millionths()).collect();
    transaction
        .execute_typed(
            "INSERT INTO perfreg_locations (name, capacity_millionths, used_millionths, running, fence)
             SELECT name, capacity, 0, 0, 0 FROM unnest($1, $2) AS new (name, capacity)
             ON CONFLICT (name) DO UPDATE SET capacity_millionths = excluded.capacity_millionths",
            &[(&names, Type::TEXT_ARRAY), (&millionths, Type::INT8_ARRAY)],
        )
        .await
        .map_err(classify)?;
    Ok(capacities)
}

/// Whether there is a table `locations` with the successor's columns beside the executions.
async fn is_there(transaction: &Transaction<'_>) -> Result<bool, StoreError> {
    let row = transaction
        .query_typed_one(
            "SELECT count(*) = 6 FROM pg_attribute
              WHERE attrelid = to_regclass('locations') AND NOT attisdropped
                AND attname IN ('location', 'servername', 'type', 'environment', 'factor', 'status')",
            &[],
        )
        .await
        .map_err(classify)?;
    get(&row, 0)
}

async fn read(transaction: &Transaction<'_>) -> Result<Capacities, StoreError> {
    let sql = format!(
        "SELECT location::text,
                least(coalesce(floor(sum(greatest(factor::numeric, 0)) FILTER (
                    WHERE type::text = 'worker' AND status::text = 'up'
                      AND factor::text NOT IN ('NaN', 'Infinity', '-Infinity')) * 1000000), 0), 1000000000000)::bigint
           FROM locations WHERE location IS NOT NULL GROUP BY location::text LIMIT {MOST_LOCATIONS} + 1"
    );
    let found = transaction.query_typed(&sql, &[]).await.map_err(classify)?;
    if found.len() > MOST_LOCATIONS {
        return Err(StoreError::Unsuitable(format!("it names more than {MOST_LOCATIONS} locations")));
    }
    let mut sums = BTreeMap::<String, i64>::new();
    let mut capacities = Capacities::default();
    for row in &found {
        match clean(get(row, 0)?) {
            Ok(name) => *sums.entry(name.into_owned()).or_default() += get::<i64>(row, 1)?,
            Err(_) => capacities.unusable += 1,
        }
    }
    for (name, millionths) in sums {
        if millionths == 0 {
            capacities.without_worker.push(name);
        } else {
            let capacity = Factor::from_millionths(millionths) + Factor::SMALLEST;
            capacities.set.insert(name, capacity.min(Location::LARGEST_CAPACITY));
        }
    }
    Ok(capacities)
}

impl Capacities {
    pub fn log(&self) {
        let Self { set, without_worker, unusable } = self;
        if !set.is_empty() {
            let set = set.iter().map(|(name, capacity)| format!("{name} {capacity}")).collect::<Vec<_>>();
            tracing::info!(
                "set capacities to the sum of the workers that are up in the table locations, and a millionth, since its limits \
                 were inclusive: {}",
                first_few(&set)
            );
        }
        if !without_worker.is_empty() {
            tracing::warn!(
                "the table locations has no worker that is up at {}; the default capacity of {} holds there",
                first_few(without_worker),
                Location::DEFAULT_CAPACITY
            );
        }
        if *unusable > 0 {
            tracing::warn!(
                "{unusable} locations of the table locations have a name that no test can give, such as an empty one or \
                 one with invisible characters; their capacity was left out"
            );
        }
    }
}

fn first_few(texts: &[String]) -> String {
    let named = texts.iter().take(MOST_NAMED).map(|text| text.replace(char::is_control, " ")).collect::<Vec<_>>();
    match texts.len() - named.len() {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_line_names_only_the_first() {
        let names: Vec<String> = (1..=25).map(|number| number.to_string()).collect();
        assert!(first_few(&names).ends_with("19, 20 and 5 more"));
        assert_eq!(first_few(&names[..2]), "1, 2");
    }
}
