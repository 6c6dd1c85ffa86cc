// Loaded before the product (`node --import`): its calendar is ahead by LAB_CLOCK_AHEAD_MS, while time passes as ever.
const now = Date.now;
const aheadMs = Number(process.env.LAB_CLOCK_AHEAD_MS ?? 0);
Date.now = () => now() + aheadMs;
