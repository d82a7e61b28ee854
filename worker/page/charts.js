// SPDX-License-Identifier: MIT
//
// charts.js: lines over time, with Chart.js, which is loaded when the first
// chart is drawn.
import { bytes, h } from './dom.js';

const COLOURS = ['#6366f1', '#0ea5e9', '#f59e0b', '#10b981', '#ef4444'];
let ready;
const loaded = () => (ready ??= import('./chart.js').then(() => {
	window.Chart.defaults.font.family = 'system-ui, sans-serif';
}));

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function colours(chart) {
	for (const axis of Object.values(chart.options.scales)) {
		axis.grid.color = css('--line');
		axis.ticks.color = css('--soft');
	}
	chart.options.plugins.legend.labels.color = css('--soft');
}

// series: { key: label }.  set(rows) takes [{ time, key: value, … }], time in
// milliseconds.
export function lines(series, { tall = false, format = (v) => v, signal, label }) {
	const canvas = h('canvas', { role: 'img', 'aria-label': label });
	const el = h('div', { class: tall ? 'chart tall' : 'chart' }, canvas);
	let chart = null;
	let last = [];
	const keys = Object.keys(series);
	const time = (ms) => {
		const d = new Date(ms);
		const span = last.length > 1 ? last.at(-1).time - last[0].time : 0;
		if (span > 2 * 86400e3) return d.toLocaleDateString([], { month: 'short', day: 'numeric' });
		return d.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: span < 240e3 ? '2-digit' : undefined, hour12: false });
	};

	// Steps of bytes are powers of two: 8 KiB, 16 KiB.
	function stepOfBytes() {
		const most = Math.max(1, ...last.flatMap((r) => keys.map((k) => r[k] ?? 0)));
		return 2 ** Math.ceil(Math.log2(most / 5));
	}

	// One value makes no line: it is a point.
	const alone = (i) => chart.data.datasets[i].data.filter((v) => v != null).length === 1;

	function draw() {
		if (format === bytes) chart.options.scales.y.ticks.stepSize = stepOfBytes();
		chart.data.labels = last.map((r) => r.time);
		keys.forEach((key, i) => {
			chart.data.datasets[i].data = last.map((r) => r[key]);
			chart.data.datasets[i].pointRadius = alone(i) ? 3 : 0;
		});
		chart.update('none');
	}

	loaded().then(() => {
		if (signal.aborted) return;
		chart = new window.Chart(canvas, { type: 'line',
			data: { labels: [], datasets: keys.map((key, i) => ({ label: series[key], data: [], borderColor: COLOURS[i],
				backgroundColor: `${COLOURS[i]}22`, fill: keys.length === 1, borderWidth: 2, pointRadius: 0, pointHitRadius: 12, tension: 0.25 })) },
			options: { animation: false, responsive: true, maintainAspectRatio: false, interaction: { mode: 'index', intersect: false },
				plugins: { legend: { display: keys.length > 1, position: 'bottom', labels: { boxWidth: 12, boxHeight: 2 } },
					tooltip: { callbacks: { title: (items) => new Date(Number(items[0]?.label)).toLocaleString(),
						label: (i) => ` ${i.dataset.label}: ${format(i.parsed.y)}` } } },
				scales: { x: { grid: { display: false }, ticks: { maxRotation: 0, autoSkipPadding: 24, callback: (v, i) => time(last[i]?.time) } },
					y: { beginAtZero: true, suggestedMax: 1, grid: {}, ticks: { maxTicksLimit: 6, callback: (v) => format(v) } } } } });
		colours(chart);
		draw();
		window.addEventListener('theme', () => {
			colours(chart);
			chart.update('none');
		}, { signal });
		signal.addEventListener('abort', () => chart.destroy());
	});
	return { el, set(rows) {
		last = rows;
		if (chart) draw();
	} };
}
