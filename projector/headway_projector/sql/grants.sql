-- After the migrations: those who read may read every view, and no table. The roles are made by infra/postgres/roles.sql;
-- without them everybody connects as one role, and nothing is granted. What is granted already is not touched, so that
-- projectors that start do not rewrite the catalog.
DO $$
DECLARE
    relation regclass;
    reader text;
BEGIN
    FOR relation, reader IN
        SELECT pg_class.oid::regclass, rolname
        FROM pg_class CROSS JOIN pg_roles
        WHERE relkind = 'v' AND relnamespace = current_schema()::regnamespace
          AND relowner = current_user::regrole AND rolname IN ('headway_gateway', 'headway_analyst')
          AND NOT has_table_privilege(rolname, pg_class.oid, 'SELECT')
    LOOP
        EXECUTE format('GRANT SELECT ON %s TO %I', relation, reader);
    END LOOP;
END $$;
