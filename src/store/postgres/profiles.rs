//! Makes executions searchable that nobody registered here: adopted ones, those that servers of the
//! version before write during an upgrade, and those that somebody inserts by hand.

use tokio_postgres::Transaction;
use tokio_postgres::types::Type;

use super::error::classify;
use super::rows::get;
use super::write;
use crate::domain::history::SearchField;
use crate::store::StoreError;
use crate::store::known_profiles::Term;
use crate::store::search::LONGEST_TERM_CHARACTERS;

const TERMS_PER_STATEMENT: usize = 1_000;

/// Gives executions without a profile theirs, and says whether there were any.
pub async fn fill_in(transaction: &Transaction<'_>) -> Result<bool, StoreError> {
    let texts = |text: fn(&str) -> String| SearchField::ALL.map(|field| text(field.as_str())).join(" || ");
    // The same as in the migration that introduced profiles, and as profile_id().
    let text = texts(|name| format!("coalesce(octet_length({name}) || ':' || {name}, '-')"));
    let names = SearchField::ALL.map(SearchField::as_str).join(", ");
    let sql = format!(
        "WITH filled AS (
             UPDATE test_executions
                SET profile = encode(substring(sha256(convert_to({text}, 'UTF8')) FOR 16), 'hex')::uuid
              WHERE profile IS NULL
             RETURNING profile, {names}
         ), written AS (
             INSERT INTO perfreg_profiles (id, {names})
             SELECT DISTINCT ON (profile) profile, {names} FROM filled ORDER BY profile
             ON CONFLICT DO NOTHING
         )
         SELECT count(*) > 0 FROM filled"
    );
    let filled = transaction.query_typed_one(&sql, &[]).await.map_err(classify)?;
    get(&filled, 0)
}

/// Writes the terms of all profiles that are not there yet.
pub async fn write_terms(transaction: &Transaction<'_>) -> Result<(), StoreError> {
    for field in SearchField::ALL {
        let name = field.as_str();
        let sql = format!(
            "SELECT DISTINCT {name} FROM perfreg_profiles WHERE {name} IS NOT NULL AND length({name}) <= $1 ORDER BY {name}"
        );
        let found = transaction.query_typed(&sql, &[(&LONGEST_TERM_CHARACTERS, Type::INT4)]).await.map_err(classify)?;
        let terms =
            found.iter().map(|row| Ok(Term::new(field, get(row, 0)?))).collect::<Result<Vec<_>, StoreError>>()?;
        for terms in terms.chunks(TERMS_PER_STATEMENT) {
            write::insert_terms(transaction.client(), terms).await?;
        }
    }
    Ok(())
}

/// An index of the runs of three characters in each term finds a text inside others without reading
/// all of them. It takes an extension that comes with PostgreSQL, which not every server has and not
/// every user may create; without it the same is found, and a look at every term is the price.
pub async fn index_trigrams(transaction: &Transaction<'_>) -> Result<(), StoreError> {
    let state = transaction
        .query_typed_one(
            "SELECT to_regclass('perfreg_terms_trigrams') IS NOT NULL,
                    EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_trgm')",
            &[],
        )
        .await
        .map_err(classify)?;
    let (is_there, is_available): (bool, bool) = (get(&state, 0)?, get(&state, 1)?);
    if is_there {
        return Ok(());
    }
    if !is_available {
        tracing::info!("the server does not have the extension pg_trgm, so searches read all terms");
        return Ok(());
    }
    transaction.batch_execute("SAVEPOINT trigrams").await.map_err(classify)?;
    if let Err(error) = create_trigrams(transaction).await {
        tracing::info!("searches read all terms, since the extension pg_trgm cannot be used: {error}");
        transaction.batch_execute("ROLLBACK TO SAVEPOINT trigrams").await.map_err(classify)?;
    }
    transaction.batch_execute("RELEASE SAVEPOINT trigrams").await.map_err(classify)
}

async fn create_trigrams(transaction: &Transaction<'_>) -> Result<(), tokio_postgres::Error> {
    transaction.batch_execute("CREATE EXTENSION IF NOT EXISTS pg_trgm").await?;
    // It may have been created before, in a schema in which names are not looked for.
    let schema = "SELECT extnamespace::regnamespace::text FROM pg_extension WHERE extname = 'pg_trgm'";
    let schema: String = transaction.query_typed_one(schema, &[]).await?.try_get(0)?;
    let index =
        format!("CREATE INDEX perfreg_terms_trigrams ON perfreg_terms USING gin (folded {schema}.gin_trgm_ops)");
    transaction.batch_execute(&index).await
}
