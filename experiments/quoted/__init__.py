"""What the documents quote of the kept datasets: functions that give texts by name."""
