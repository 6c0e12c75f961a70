-- Which of some JSON texts jsonb cannot hold, and why: place counts from 1. All in one question, as a batch may have
-- thousands of records to be looked at.
CREATE FUNCTION unstorable(texts text[]) RETURNS TABLE (place int, reason text) LANGUAGE plpgsql STABLE AS $$
BEGIN
    FOR number IN 1..cardinality(texts) LOOP
        BEGIN
            PERFORM texts[number]::jsonb;
        EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
            place := number;
            reason := SQLERRM;
            RETURN NEXT;
        END;
    END LOOP;
END $$;
