SELECT name, type, unit, temporality, is_monotonic, count(*) AS streams
FROM metrics f
{where}
GROUP BY ALL
ORDER BY ALL
