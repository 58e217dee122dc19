//! Gives the table's rows values that this version can read.

use tokio_postgres::Transaction;
use tokio_postgres::types::Type;

use super::super::error::classify;
use super::super::rows::get;
use super::{COLUMNS, OURS, Original};
use crate::domain::history::readable_times;
use crate::store::StoreError;

impl Original {
    /// One pass over all rows. A factor with more digits than ours stays and counts rounded up.
    pub(super) async fn fill_in(&self, transaction: &Transaction<'_>) -> Result<u64, StoreError> {
        let (earliest, latest) = readable_times();
        let known: Vec<&str> = COLUMNS.iter().map(|(name, ..)| *name).chain(OURS).collect();
        transaction
            .execute_typed(
                "UPDATE test_executions AS run
                    SET repo = coalesce(repo, ''), lac = coalesce(lac, ''), stream = coalesce(stream, ''),
                        test = coalesce(test, ''), type = coalesce(type, ''),
                        environment = coalesce(environment, ''), triggered_by = coalesce(triggered_by, ''),
                        start_time = CASE WHEN start_time BETWEEN $2 AND $3 THEN start_time
                                          WHEN end_time BETWEEN $2 AND $3 THEN end_time ELSE now() END,
                        end_time = CASE WHEN end_time BETWEEN $2 AND $3 THEN end_time END,
                        location = nullif(location, ''),
                        status = CASE WHEN status IN ('running', 'success', 'failure', 'cancelled') THEN status
                                      ELSE 'failure' END,
                        factor = CASE WHEN factor::text IN ('NaN', 'Infinity', '-Infinity') THEN NULL
                                      ELSE factor END,
                        factor_millionths = CASE WHEN factor::text NOT IN ('NaN', 'Infinity', '-Infinity')
                                      THEN least(greatest(ceil(factor * 1000000), 0), 1000000000000)::bigint END,
                        extra = ((SELECT coalesce(jsonb_object_agg(key, value), '{}')
                                    FROM jsonb_each(to_jsonb(run) - $1) WHERE value <> 'null')
                            || CASE WHEN status IN ('running', 'success', 'failure', 'cancelled', 'failed') THEN '{}'
                                    ELSE jsonb_build_object('original_status', status) END
                            || CASE WHEN start_time BETWEEN $2 AND $3 THEN '{}'
                                    ELSE jsonb_build_object('original_start_time', start_time::text) END
                            || CASE WHEN end_time IS NULL OR end_time BETWEEN $2 AND $3 THEN '{}'
                                    ELSE jsonb_build_object('original_end_time', end_time::text) END
                            || CASE WHEN factor::text IN ('NaN', 'Infinity', '-Infinity')
                                    THEN jsonb_build_object('original_factor', factor::text) ELSE '{}' END)::json",
                &[(&known, Type::TEXT_ARRAY), (&earliest, Type::TIMESTAMPTZ), (&latest, Type::TIMESTAMPTZ)],
            )
            .await
            .map_err(classify)
    }
}

/// How many rows have the status `failed`, and how many one that nobody knows.
pub async fn count_statuses(transaction: &Transaction<'_>) -> Result<(i64, i64), StoreError> {
    let row = transaction
        .query_typed_one(
            "SELECT count(*) FILTER (WHERE status = 'failed'),
                    count(*) FILTER (WHERE coalesce(status, '') NOT IN
                                     ('running', 'success', 'failure', 'cancelled', 'failed'))
               FROM test_executions",
            &[],
        )
        .await
        .map_err(classify)?;
    Ok((get(&row, 0)?, get(&row, 1)?))
}

/// Of executions that share a run_id the earliest keeps it; the others go on above the largest.
pub async fn renumber(transaction: &Transaction<'_>) -> Result<u64, StoreError> {
    transaction
        .execute_typed(
            "WITH ranked AS (
                 SELECT id, run_id, start_time,
                        row_number() OVER (PARTITION BY run_id ORDER BY start_time, id) AS place
                   FROM test_executions
             ), moved AS (
                 SELECT id, run_id AS original_run_id,
                        (SELECT coalesce(max(run_id), 0) FROM test_executions)
                            + row_number() OVER (ORDER BY start_time, id) AS run_id
                   FROM ranked
                  WHERE place > 1 OR run_id IS NULL
             )
             UPDATE test_executions AS run
                SET run_id = moved.run_id,
                    extra = (run.extra::jsonb || jsonb_build_object('original_run_id', moved.original_run_id))::json
               FROM moved
              WHERE run.id = moved.id",
            &[],
        )
        .await
        .map_err(classify)
}
