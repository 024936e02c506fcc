{postgres}
-- For how long the oldest transaction of any node has been going on, µs: what it commits will stand before rows that are seen already. As the owner, since
-- the role of operations is not shown what sessions of others do.
CREATE FUNCTION barid_oldest_transaction() RETURNS bigint LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT COALESCE(MAX((EXTRACT(EPOCH FROM clock_timestamp() - a.xact_start) * 1000000)::bigint), 0) FROM pg_stat_activity a
    WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.xact_start IS NOT NULL
        AND a.application_name = current_setting('application_name')
$$;
{end}
