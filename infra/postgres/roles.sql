-- The roles of the programs and of people, with the least that each needs. Run once by an administrator, in the database:
--
--     psql -v ON_ERROR_STOP=1 -f infra/postgres/roles.sql 'postgresql://admin@db.example/headway'
--
-- Passwords are set apart (`\password headway_gateway`), so that no file and no shell's history has them. May be run again.

SELECT format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE', name)
FROM unnest(ARRAY['headway_projector', 'headway_gateway', 'headway_analyst']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)
\gexec

-- Nobody else connects, and nobody makes temporary tables.
REVOKE ALL ON DATABASE :"DBNAME" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"DBNAME" TO headway_projector, headway_gateway, headway_analyst;
REVOKE ALL ON SCHEMA public FROM PUBLIC;

-- The projector makes the tables and the weeks' partitions of the log, and so owns them. It may not make roles,
-- databases or other schemas.
GRANT USAGE, CREATE ON SCHEMA public TO headway_projector;

-- The others read views. Which there are, the projector grants after its migrations (sql/grants.sql).
GRANT USAGE ON SCHEMA public TO headway_gateway, headway_analyst;
ALTER ROLE headway_gateway SET default_transaction_read_only = on;
ALTER ROLE headway_analyst SET default_transaction_read_only = on;
