"""Load CSV files with Spark structured streaming: foreachBatch, collect, execute_values.

It says on stdout, as JSON, how many seconds the stream ran. libpq's variables name the database.
"""

import argparse
import json
import time

import psycopg2
from psycopg2.extras import execute_values
from pyspark.sql import SparkSession

SCHEMA = (
    "event_id string, user_id string, product_id string, product_name string, product_category string, "
    "event_type string, price decimal(12,2), event_timestamp timestamp"
)
COLUMNS = [column.split()[0] for column in SCHEMA.replace("12,2", "").split(", ")]
INSERT = f"insert into user_events ({', '.join(COLUMNS)}) values %s on conflict (event_id) do nothing"


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", required=True, help="folder of the files")
    parser.add_argument("--checkpoint", required=True, help="folder of the stream's state")
    parser.add_argument("--rows", type=int, required=True, help="stop after so many")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after so long")
    parser.add_argument("--trigger", type=int, default=0, help="seconds from batch to batch; 0: take what is there and end")
    parser.add_argument("--max-files", type=int, required=True, help="files a batch")
    parser.add_argument("--page-size", type=int, required=True, help="rows a statement")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    spark = (
        SparkSession.builder.master("local[*]")
        .config("spark.driver.memory", "4g")
        .config("spark.driver.maxResultSize", "0")
        .config("spark.ui.enabled", "false")
        .config("spark.log.level", "ERROR")
        .config("spark.sql.session.timeZone", "UTC")
        .getOrCreate()
    )
    handled = 0

    def write(batch, _):
        nonlocal handled
        rows = [tuple(row) for row in batch.collect()]
        connection = psycopg2.connect("")
        try:
            with connection, connection.cursor() as cursor:
                execute_values(cursor, INSERT, rows, page_size=arguments.page_size)
        finally:
            connection.close()
        handled += len(rows)

    events = (
        spark.readStream.schema(SCHEMA)
        .option("header", True)
        .option("escape", '"')
        .option("maxFilesPerTrigger", arguments.max_files)
        .csv(arguments.input)
    )
    trigger = {"processingTime": f"{arguments.trigger} seconds"} if arguments.trigger else {"availableNow": True}
    begin = time.monotonic()
    query = events.writeStream.foreachBatch(write).option("checkpointLocation", arguments.checkpoint).trigger(**trigger).start()
    while query.isActive and handled < arguments.rows and time.monotonic() - begin < arguments.seconds:
        time.sleep(0.02)
    seconds = time.monotonic() - begin
    if query.exception():
        raise query.exception()
    query.stop()
    spark.stop()
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main()
