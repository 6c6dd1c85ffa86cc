// Percentiles of samples that are sorted already.

export function percentile(ascending: Float32Array, percent: number): number {
  return (
    ascending[Math.min(ascending.length - 1, Math.floor((ascending.length * percent) / 100))] ?? Number.NaN
  );
}
